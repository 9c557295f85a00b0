"""What can be wrong between pipelines: names used twice, triggers that lead nowhere or in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.spec.nearest import allowed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.problems import Problems


def check_triggers(
    pipelines: Mapping[str, PipelineSpec], problems: Mapping[str, Problems], declared: Collection[str]
) -> None:
    """Report unknown upstream pipelines and cycles.

    Args:
        pipelines: the valid ones by name.
        problems: where to report, by pipeline.
        declared: all names, those of pipelines with errors included.
    """
    for name, spec in pipelines.items():
        for index, upstream in enumerate(spec.triggers.after):
            if upstream not in declared:
                others = sorted({*declared} - {name})
                msg = f"Unknown pipeline `{upstream}` in `triggers.after` of `{name}`."
                problems[name].add(f"{msg} {allowed(upstream, others)}", "triggers", "after", index)
    for cycle in _cycles({name: spec.triggers.after for name, spec in pipelines.items()}):
        chain = " → ".join(f"`{name}`" for name in (*cycle, cycle[0]))
        msg = f"Triggers form a cycle, so none of its pipelines would ever start: {chain}. Remove one of them."
        problems[cycle[0]].add(msg, "triggers", "after")


def _cycles(after: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """One cycle for each group of pipelines that wait for each other, in the order in which they would run."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        waiting = [iter((start,))]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                done.update(path[-1:])
                del path[-1:]
            elif name in path:
                found.append(tuple(reversed(path[path.index(name) :])))
            elif name in after and name not in done:
                path.append(name)
                waiting.append(iter(after[name]))
    return found
