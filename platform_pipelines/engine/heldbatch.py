"""Whether a person can still decide about the batch that the gate holds: its rows are read again for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt

if TYPE_CHECKING:
    from platform_pipelines.store import FeedLog, Verdict


def lost(log: FeedLog, held: Verdict) -> str | None:
    """Why a held batch can be neither let through nor dropped, and what to do; None where it can.

    Args:
        log: the feed's log.
        held: the note on the batch.
    """
    manifest = log.manifest(held.epoch, held.sequence)
    try:
        log.paths(held.epoch, [*manifest.files, *([manifest.rejects] if manifest.rejects else [])])
    except StoreCorrupt as error:
        return f"Batch {held.epoch}/{held.sequence} can be neither let through nor dropped. {error}"
    return None
