"""What became of each record of a batch, kept while it is being sent: an API cannot keep that.

One file for each batch, one line for each answer: ``[[key, status, reason], …]``. A
run that is killed leaves it behind, and the next one goes on from there; what was
under way is sent again, under the same key. Once a later batch is loaded, it goes,
unless it is about rows that were refused and that a replay has begun to bring again.

    <state>/http/<URL, table and destination>/<feed>/000001-000003-<batch>.jsonl
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import threading
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from platform_pipelines import durable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from platform_pipelines.model import Load, Offset

_NAME = re.compile(r"(\d{6,})-(\d{6,})-([0-9a-f]{12})\.jsonl")

Status = Literal["done", "absent", "refused", "stopped"]


class Outcome(NamedTuple):
    """What became of a record, with the reason: done, absent (nothing to update or delete), or refused.

    A refusal at which the load stopped is ``stopped``: the record is sent again, under another key.
    """

    key: str
    status: Status
    reason: str = ""


class Journal:
    """The outcomes of one batch so far.

    Attributes:
        known: by the record's idempotency key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.known: dict[str, Outcome] = {}
        self._stops: Counter[str] = Counter()
        self._take(_read(path))
        self._file = durable.open_to_append(path)
        if not _ends_whole(path):
            durable.append(self._file, b"\n")

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of one answer; they are in the file when this returns."""
        line = json.dumps(outcomes, ensure_ascii=True).encode() + b"\n"
        with self._lock:
            durable.append(self._file, line)
            self._take(outcomes)

    def sent_as(self, key: str) -> str:
        """The key that a record is sent under: an API may repeat its first answer to a key for ever."""
        stops = self._stops[key]
        return str(uuid.uuid5(uuid.UUID(key), str(stops))) if stops else key

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        for each in outcomes:
            if each.status == "stopped":
                self._stops[each.key] += 1
            else:
                self.known[each.key] = each

    def close(self) -> None:
        """Make what was kept survive a power cut, too."""
        self._file.close()
        durable.sync(self._path)


@contextlib.contextmanager
def journal(state: str, base_url: str, load: Load) -> Iterator[Journal]:
    """The journal of a load; another process that loads the same feed waits for its end.

    Args:
        state: the folder for what outlives a run.
        base_url: of the API.
        load: the load.
    """
    place = hashlib.sha256(f"{base_url}\n{load.table}\n{load.destination}".encode()).hexdigest()[:16]
    folder = Path(state) / "http" / place / load.feed.pipeline / load.feed.folder
    durable.make_folder(folder)
    with durable.open_to_append(folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_old(folder, load.previous, {_digest(name) for name in (load.batch, *load.awaited)})
        kept = Journal(folder / f"{load.offset.epoch:06d}-{load.offset.sequence:06d}-{_digest(load.batch)}.jsonl")
        try:
            yield kept
        finally:
            kept.close()


def _digest(batch: str) -> str:
    return hashlib.sha256(batch.encode()).hexdigest()[:12]


def _remove_old(folder: Path, loaded: Offset | None, wanted: set[str]) -> None:
    """Remove the journals of batches that the engine knows to be loaded, but for those that will come again."""
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if not match or match[3] in wanted or loaded is None:
            continue
        if (int(match[1]), int(match[2])) <= (loaded.epoch, loaded.sequence):
            durable.unlink(path)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 1, 0))
        return file.read() in {b"", b"\n"}


def _read(path: Path) -> Iterator[Outcome]:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:  # cut off when the machine died, or the empty end
            continue
        yield from (Outcome(*each) for each in found)
