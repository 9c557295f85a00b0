"""Which partitions that a run does not read have batches that a destination lacks.

A destination may be new, or was down while others were loaded. Its rows are in
the log: the next run brings them, without reading the source again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.engine.context import utc_now
from platform_pipelines.engine.feedstate import destination_state
from platform_pipelines.engine.offsets import Offsets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.digest import Digest
    from platform_pipelines.engine.told import Told
    from platform_pipelines.model import Feed


def lagging(context: Context, targets: Sequence[str], but: Collection[Feed], told: Told) -> dict[Feed, list[str]]:
    """The destinations that could load more of a feed, by feed, oldest key first.

    A destination that cannot be asked is left out: its own load says why. A feed
    whose log is damaged is not: its load says what is wrong.

    Args:
        context: the run.
        targets: names of the destinations to look at.
        but: feeds that the run loads anyway.
        told: what the logs tell.
    """
    wanted = set(context.pipeline.feeds(utc_now())).difference(but)
    if not wanted or not targets:
        return {}
    offsets = {each.name: Offsets(context, each) for each in context.pipeline.destinations if each.name in targets}
    found = {}
    for feed, digest in told.digests.items():
        if feed not in wanted:
            continue
        behind = [each for each in offsets if digest is None or _lacks(feed, digest, each, offsets[each])]
        if behind:
            found[feed] = behind
    return found


def _lacks(feed: Feed, digest: Digest, name: str, offsets: Offsets) -> bool:
    """Whether there is something to bring; a feed that never had a row brings nothing to who has nothing of it."""
    state = destination_state(feed, digest, name, offsets, many=True)
    return bool(state.behind) and (digest.rows > 0 or state.epoch is not None)
