"""Which pipelines the demo runs, and in what order: each after those that trigger it."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from platform_pipelines.engine import RunRequest, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from platform_pipelines.engine import Project, RunReport


def run_all(project: Project) -> list[RunReport]:
    """Run every pipeline of the project once, upstream first.

    A pipeline that fails does not stop those that do not depend on it.
    """
    reports: dict[str, RunReport] = {}
    for name in ordered(project):
        upstream = project.pipeline(name).triggers.after
        if all(each in reports and reports[each].exit_code == 0 for each in upstream):
            reports[name] = run(project, RunRequest(pipeline=name))
    return list(reports.values())


def ordered(project: Project) -> Iterable[str]:
    """Names of all pipelines, each after the ones named in its ``triggers.after``."""
    pipelines = project.catalog.pipelines
    return TopologicalSorter({name: pipelines[name].triggers.after for name in sorted(pipelines)}).static_order()
