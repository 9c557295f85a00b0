"""The keys that a feed's batches had loaded up to one of them, in a file of their own.

Without it, to know all keys means to read the key columns of every batch of
the epoch, for ever. Which keys are known is left to the engine.

    e000001/000012-<attempt>.keys/keys-*.parquet
    e000001/000012.keys.json                  commits the snapshot; the newest counts
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.store import effects
from platform_pipelines.store.manifest import DataFile

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.store.feedlog import FeedLog

_FOLDER = re.compile(r"\d{6,}-[0-9a-f]{12}\.keys")
_COMMIT = re.compile(r"(\d{6,})\.keys\.json")


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """Keys known after a batch.

    Attributes:
        sequence: the batch; all up to it are covered.
        files: Parquet files of the keys, relative to the epoch's folder.
    """

    sequence: int
    files: tuple[DataFile, ...] = ()


def latest(log: FeedLog, epoch: int) -> KeySnapshot:
    """The newest snapshot of an epoch; an empty one at 0 if there is none.

    Raises:
        StoreCorrupt: it is unreadable.
    """
    number = max(_committed(log.epoch_folder(epoch)), default=0)
    if not number:
        return KeySnapshot(0)
    path = _commit_path(log, epoch, number)
    try:
        body = json.loads(path.read_bytes())
        return KeySnapshot(body["sequence"], tuple(DataFile.from_json(file) for file in body["files"]))
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            f"The snapshot of keys {path} is unreadable ({type(error).__name__}: {error}). Restore it from a backup, "
            f"or read the source anew with `pipelines run {log.feed.pipeline} --full-refresh`."
        )
        raise StoreCorrupt(msg) from error


def folder(log: FeedLog, epoch: int, sequence: int) -> Path:
    """A folder name that no other snapshot uses; nothing refers to it until a commit does."""
    return log.epoch_folder(epoch) / f"{sequence:06d}-{uuid.uuid4().hex[:12]}.keys"


def commit(log: FeedLog, epoch: int, snapshot: KeySnapshot) -> None:
    """Commit a snapshot, whose files must be durable, in place of those before it."""
    body = {"sequence": snapshot.sequence, "files": [asdict(file) for file in snapshot.files]}
    effects.replace(_commit_path(log, epoch, snapshot.sequence), json.dumps(body, indent=1).encode())
    sweep(log, epoch)


def sweep(log: FeedLog, epoch: int) -> None:
    """Remove older snapshots, and what a killed process left behind; call it with the lock held."""
    place = log.epoch_folder(epoch)
    newest = latest(log, epoch)
    for number in _committed(place) - {newest.sequence}:
        effects.remove(_commit_path(log, epoch, number))
    named = {file.path.split("/")[0] for file in newest.files}
    for path in list(place.iterdir()):
        if _FOLDER.fullmatch(path.name) and path.name not in named:
            effects.remove(path)


def _commit_path(log: FeedLog, epoch: int, sequence: int) -> Path:
    return log.epoch_folder(epoch) / f"{sequence:06d}.keys.json"


def _committed(place: Path) -> set[int]:
    return {int(match[1]) for path in place.iterdir() if (match := _COMMIT.fullmatch(path.name))}
