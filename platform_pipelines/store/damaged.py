"""Epochs of a feed's log that cannot be read any more are put out of the way, whole.

Nothing in them is removed: ``e000002`` becomes ``e000002.damaged`` beside the others,
where no run looks. When that is done is left to the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.store import effects

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.store.feedlog import FeedLog


def damaged(log: FeedLog) -> list[int]:
    """Epochs with a manifest or verdict that is unreadable."""
    return [epoch for epoch in log.epochs() if _is_damaged(log, epoch)]


def set_aside(log: FeedLog, epoch: int) -> Path:
    """Rename the folder of an epoch; call it with the lock held, and once a higher epoch has begun.

    Returns:
        The new name.
    """
    return effects.set_aside(log.epoch_folder(epoch), ".damaged")


def _is_damaged(log: FeedLog, epoch: int) -> bool:
    try:
        for sequence in log.sequences(epoch):
            log.manifest(epoch, sequence)
        for sequence in log.sealed(epoch):
            log.verdict(epoch, sequence)
        log.held(epoch)
    except StoreCorrupt:
        return True
    return False
