"""Rows that a destination would not take, by destination and batch.

    e000001/000003.refused.1.crm/refused-*.parquet
    e000001/000003.refused.1.crm.json             commits them; the last attempt counts

When rows are sent again, those that are refused again make the next attempt, which
may be empty. When that is, is left to the engine.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.store import effects
from platform_pipelines.store.manifest import DataFile

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.store.feedlog import FeedLog

_COMMIT = re.compile(r"(\d{6,})\.refused\.(\d+)\.(.+)\.json")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one destination refused of one batch.

    Attributes:
        destination: its name.
        epoch: of the batch.
        sequence: of the batch.
        attempt: how often the rows were sent, counted from 1.
        token: the run that sent them.
        created_at: UTC, ISO 8601.
        files: Parquet files of the rows, relative to the epoch's folder; none where all were taken at last.
    """

    destination: str
    epoch: int
    sequence: int
    attempt: int
    token: str
    created_at: str
    files: tuple[DataFile, ...] = ()

    @property
    def name(self) -> str:
        """Of the folder of its files, in the epoch's folder."""
        return f"{self.sequence:06d}.refused.{self.attempt}.{self.destination}"

    @property
    def rows(self) -> int:
        """How many."""
        return sum(file.rows for file in self.files)


def folder(log: FeedLog, refusal: Refusal) -> Path:
    """Where its files go: the same for each try to write them down, which writes the same."""
    return log.epoch_folder(refusal.epoch) / refusal.name


def commit(log: FeedLog, refusal: Refusal) -> None:
    """Commit a refusal, whose files must be durable; one that is there already stands."""
    effects.create_if_absent(_path(log, refusal), json.dumps(asdict(refusal), indent=1).encode())


def committed(log: FeedLog, refusal: Refusal) -> bool:
    """Whether it is there."""
    return _path(log, refusal).exists()


def latest(log: FeedLog, epoch: int) -> list[Refusal]:
    """The last attempt of each destination and batch that still has rows, oldest batch first.

    Raises:
        StoreCorrupt: one is unreadable.
    """
    place = log.epoch_folder(epoch)
    found: dict[tuple[int, str], tuple[int, Path]] = {}
    for path in place.iterdir() if place.is_dir() else ():
        if match := _COMMIT.fullmatch(path.name):
            of = int(match[1]), match[3]
            found[of] = max(found.get(of, (0, path)), (int(match[2]), path))
    read = [_read(log, path) for _, (_, path) in sorted(found.items())]
    return [each for each in read if each.rows]


def _path(log: FeedLog, refusal: Refusal) -> Path:
    return log.epoch_folder(refusal.epoch) / f"{refusal.name}.json"


def _read(log: FeedLog, path: Path) -> Refusal:
    try:
        body = json.loads(path.read_bytes())
        return Refusal(**{**body, "files": tuple(DataFile(**file) for file in body["files"])})
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            f"The list of refused rows {path} is unreadable ({type(error).__name__}: {error}). Restore it from a "
            f"backup, or read the source anew with `pipelines run {log.feed.pipeline} --full-refresh`."
        )
        raise StoreCorrupt(msg) from error
