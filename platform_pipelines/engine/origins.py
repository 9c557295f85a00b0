"""When rows of a replay were read: which batch read them, and from which cursor on.

A replay lands long after its rows were read. Rows go together in one replay only
where none of them alone can have been overtaken; what overtakes is told by ``overtaken``.
"""

from __future__ import annotations

import bisect
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.store import FeedLog, Manifest


class Replays:
    """The replays of one epoch of a feed, read when they are first asked for."""

    def __init__(self, log: FeedLog, epoch: int) -> None:
        self.epoch = epoch
        self._log = log

    @cached_property
    def origins(self) -> dict[int, int]:
        """For each replay, the sequence of the last batch that read rows of it."""
        found: dict[int, int] = {}
        for manifest in self._manifests:
            found[manifest.sequence] = max(found.get(item["sequence"], item["sequence"]) for item in manifest.replays)
        return found

    def read_by(self, sequence: int) -> int:
        """The sequence of the last batch that read rows of a batch: of a replay an earlier one."""
        return self.origins.get(sequence, sequence)

    def lowest(self, manifest: Manifest) -> Cursor | None:
        """A cursor that none of a batch's rows is below; None where one may have any."""
        return self._lows[manifest.sequence] if manifest.kind == "replay" else _lowest_read(manifest)

    @cached_property
    def _manifests(self) -> list[Manifest]:
        return self._log.replays(self.epoch)

    @cached_property
    def _lows(self) -> dict[int, Cursor | None]:
        found: dict[int, Cursor | None] = {}
        for replay in self._manifests:
            brought = {item["sequence"] for item in replay.replays}
            for sequence in brought - found.keys():
                found[sequence] = _lowest_read(self._log.manifest(self.epoch, sequence))
            found[replay.sequence] = _least([found[sequence] for sequence in brought])
        return found


def generations(log: FeedLog, epoch: int, read_by: Iterable[int]) -> dict[int, int]:
    """For each batch a number; batches of one number have each a higher cursor than all before, and no deletes between.

    Args:
        log: of a feed.
        epoch: its epoch.
        read_by: sequences of the batches.
    """
    wanted = sorted(set(read_by))
    begun = list(_begun(log, epoch, wanted[-1])) if wanted else []
    return {sequence: bisect.bisect(begun, sequence) for sequence in wanted}


def _begun(log: FeedLog, epoch: int, last: int) -> Iterator[int]:
    """The sequences of batches whose rows may be as old as rows of batches before them, or that delete some."""
    high: Cursor | None = None
    unknown = False
    for sequence in log.sequences(epoch):
        if sequence > last:
            return
        manifest = log.manifest(epoch, sequence)
        if manifest.kind == "deletes":
            yield sequence
        if manifest.kind in {"deletes", "replay", "rewind"} or not manifest.read:
            continue
        low = _lowest_read(manifest)
        if unknown or low is None or (high is not None and not _is_above(low, high)):
            yield sequence
        unknown = unknown or low is None
        high = manifest.cursor_high if high is None or _is_above(manifest.cursor_high, high) else high


def _is_above(cursor: Cursor | None, other: Cursor) -> bool:
    return cursor is not None and cursor.kind == other.kind and not other.at_least(cursor)


def _lowest_read(manifest: Manifest) -> Cursor | None:
    return None if manifest.rejects else manifest.cursor_low


def _least(lows: list[Cursor | None]) -> Cursor | None:
    known = [low for low in lows if low is not None]
    if len(known) < len(lows) or len({low.kind for low in known}) > 1:
        return None
    return min(known, key=lambda low: low.order, default=None)
