"""Batch files that are not there: whether retention removed them, and the way out.

What retention removes of an epoch that is still live is noted beside it; a
superseded epoch loses its files whole. Which may go is left to the engine.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from platform_pipelines.store import effects

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Feed
    from platform_pipelines.store.feedlog import FeedLog
    from platform_pipelines.store.manifest import DataFile

_FILE = "expired.json"
_SEQUENCE = re.compile(r"(\d{6,})-")


def note_expired(folder: Path, sequence: int) -> None:
    """Note in an epoch's folder, durably, that files of batches up to ``sequence`` are about to be removed."""
    if sequence > expired(folder):
        effects.replace(folder / _FILE, json.dumps({"through": sequence}).encode())


def expired(folder: Path) -> int:
    """The last batch of an epoch whose files retention has removed; 0 for none, or where the note cannot be read."""
    try:
        return int(json.loads((folder / _FILE).read_bytes())["through"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return 0


def is_expired(log: FeedLog, epoch: int, sequence: int) -> bool:
    """Whether it was retention that removed the files of a batch that are not there."""
    if sequence <= expired(log.epoch_folder(epoch)):
        return True
    live = log.live_epoch()
    return live is not None and epoch < live and not log.has_files(epoch)


def problem(log: FeedLog, epoch: int, file: DataFile, size: int | None) -> str:
    """Why a committed file cannot be used, and what to do.

    Args:
        log: the feed's log.
        epoch: whose file it is.
        file: as it was committed.
        size: of what is there, in bytes; None if nothing is.
    """
    path = log.epoch_folder(epoch) / file.path
    if size is not None:
        state = f"{size} bytes long, committed with {file.bytes}"
    else:
        state = "missing"
        number = _SEQUENCE.match(file.path)
        if number is not None and is_expired(log, epoch, int(number[1])):
            return f"Batch file {path} was removed by retention. Read the source anew with {_refresh(log.feed)}."
    return f"Batch file {path} is {state}. Restore it from a backup, or read the source anew with {_refresh(log.feed)}."


def _refresh(feed: Feed) -> str:
    return f"`pipelines run {feed.pipeline}{feed.option} --full-refresh`"
