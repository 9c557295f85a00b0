"""Which pipelines the demo runs, and in what order: each after those that trigger it."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from platform_pipelines.engine import RunRequest, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from platform_pipelines.engine import Project, RunReport


def run_all(project: Project, say: Callable[[str], None]) -> list[RunReport]:
    """Run every pipeline of the project once, upstream first, and say what is going on.

    A pipeline whose upstream failed is left out; the others are run all the same.
    """
    reports: dict[str, RunReport] = {}
    for name in ordered(project):
        upstream = project.pipeline(name).triggers.after
        failed = [each for each in upstream if each not in reports or reports[each].exit_code]
        if failed:
            say(f"Left out: {name}, because {', '.join(failed)} did not succeed")
            continue
        say(f"Running {name}")
        reports[name] = run(project, RunRequest(pipeline=name))
    return list(reports.values())


def ordered(project: Project) -> Iterable[str]:
    """Names of all pipelines, each after the ones named in its ``triggers.after``."""
    pipelines = project.catalog.pipelines
    return TopologicalSorter({name: pipelines[name].triggers.after for name in sorted(pipelines)}).static_order()
