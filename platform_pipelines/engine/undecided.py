"""What is said of a destination about versions of a row that were read and have no verdict yet.

What destinations did with versions that passed is told by ``fate``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.engine.fate import Fate
from platform_pipelines.engine.heldbatch import lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.version import Version

#: outcomes of a version that has no verdict
UNDECIDED = frozenset({"held", "waiting"})


def with_undecided(context: Context, fate: Fate, versions: Sequence[Version]) -> Fate:
    """The destination's answer, with the last version that has landed and that no verdict lets through or stops.

    Args:
        context: the pipeline.
        fate: what is known of the versions that passed.
        versions: those that are held or wait, in the order in which they landed.
    """
    if not versions:
        return fate
    said = _said(context, versions[-1])
    if fate.status == "absent":
        return Fate("pending", said, versions[-1], fate.offset)
    return replace(fate, detail=f"{fate.detail} {said}")


def _said(context: Context, version: Version) -> str:
    read = f"Read with batch {version.place}, {version.detail.rstrip('.')}."
    log = context.log(version.feed)
    held = log.held(version.batch.epoch)
    if held is None or (why := lost(log, held)):
        return read if held is None else f"{read} {why}"
    return (
        f"{read} Mend the rules and run again, or the source and run with `--full-refresh`, or let the batch through "
        f"with `pipelines run {version.feed.pipeline}{version.feed.option} --release`, or drop it with `--discard`."
    )
