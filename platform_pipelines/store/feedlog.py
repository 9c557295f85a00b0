"""One feed's log on disk: epochs, manifests, verdicts, and what a crash left behind.

    <store>/<pipeline>/feeds/<all | p-KEY>/
        .lock
        e000001/epoch.json                    why and by whom the epoch was begun
        e000001/expired.json                  up to which batch retention has removed files
        e000001/000001-<attempt>/part-*.parquet
        e000001/000001.json                   manifest: writing it commits the batch
        e000001/000001-<attempt>.valid/part-*.parquet, dead-*.parquet
        e000001/000001.verdict.json           sealed verdict: what destinations load
        e000001/000001.held-0001.json         the gate closed; judged anew next time
        e000001/000004.replay                 batch 4 brought dead letters back
        offsets/<destination>.json            for destinations that cannot keep their own

What to read, judge and load, and in which order, is left to the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import OffsetConflict, StoreCorrupt
from platform_pipelines.model import Offset
from platform_pipelines.store import effects, gone, totals
from platform_pipelines.store.arrow import UNREADABLE
from platform_pipelines.store.locks import locked
from platform_pipelines.store.manifest import Manifest
from platform_pipelines.store.remedy import reset_command
from platform_pipelines.store.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from platform_pipelines.model import Feed
    from platform_pipelines.store.manifest import DataFile

_EPOCH = re.compile(r"e(\d{6,})")
#: why an epoch was begun; with it, it is
_INFO = "epoch.json"
_MANIFEST = re.compile(r"(\d{6,})\.json")
_VERDICT = re.compile(r"(\d{6,})\.verdict\.json")
_HELD = re.compile(r"(\d{6,})\.held-(\d{4,})\.json")
_REPLAY = re.compile(r"(\d{6,})\.replay")
_ATTEMPT = re.compile(r"(\d{6,})-[0-9a-f]{12}(\.valid)?")


class FeedLog:
    """The log of one feed below ``folder``."""

    def __init__(self, folder: Path, feed: Feed) -> None:
        self.folder = folder
        self.feed = feed

    def lock(self, owner: str, waiting: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """Hold the feed for this process; see :func:`platform_pipelines.store.locks.locked`."""
        return locked(self.folder / ".lock", f"Feed {self.feed.pipeline}/{self.feed.key}", owner, waiting)

    # epochs

    def epochs(self) -> list[int]:
        """All epochs begun, ascending.

        The last is none where a process was killed before it had said why: the next that is begun takes its folder.
        """
        found = self._epoch_folders()
        while found and not self._begun(found[-1]):
            found.pop()
        return found

    def _epoch_folders(self) -> list[int]:
        return sorted(_numbers(self.folder, _EPOCH))

    def _begun(self, epoch: int) -> bool:
        """Whether anything but temporary files is in its folder."""
        folder = self.epoch_folder(epoch)
        return (folder / _INFO).exists() or not all(name.startswith(".") for name in _names(folder))

    def epoch_folder(self, epoch: int) -> Path:
        """Where an epoch's files lie."""
        return self.folder / f"e{epoch:06d}"

    def open_epoch(self, reason: str, token: str, created_at: str, *, above: int = 0) -> int:
        """Begin the next epoch, durably, and return its number, which is higher than ``above``."""
        epoch = max([*self.epochs(), above]) + 1
        body = json.dumps({"reason": reason, "token": token, "created_at": created_at}).encode()
        if not effects.create_if_absent(self.epoch_folder(epoch) / _INFO, body):
            raise OffsetConflict(self._conflict(f"epoch {epoch}"))
        return epoch

    def epoch_info(self, epoch: int) -> dict[str, str]:
        """Why, by which run and when the epoch was begun."""
        path = self.epoch_folder(epoch) / _INFO
        with contextlib.suppress(FileNotFoundError, ValueError):
            info: dict[str, str] = json.loads(path.read_bytes())
            return info
        return {}

    def live_epoch(self) -> int | None:
        """The latest epoch whose first extract is complete; None before that."""
        for epoch in reversed(self.epochs()):
            if self.first_complete(epoch) is not None:
                return epoch
        return None

    def first_complete(self, epoch: int) -> int | None:
        """The sequence at which the extract that began the epoch was complete; None if it is not yet."""
        for sequence in self.sequences(epoch):
            if self.manifest(epoch, sequence).complete:
                return sequence
        return None

    def discarded(self, epoch: int) -> bool:
        """Whether all of the extract that began the epoch was discarded, and nothing of it was brought back."""
        whole = self.first_complete(epoch)
        if whole is None or self.replays(epoch):
            return False
        verdicts = [self.verdict(epoch, sequence) for sequence in self.sequences(epoch) if sequence <= whole]
        return all(verdict is not None and verdict.status == "discarded" for verdict in verdicts)

    # manifests

    def sequences(self, epoch: int) -> list[int]:
        """Committed sequences of an epoch, ascending."""
        return sorted(_numbers(self.epoch_folder(epoch), _MANIFEST))

    def manifest(self, epoch: int, sequence: int) -> Manifest:
        """A committed manifest.

        Raises:
            StoreCorrupt: it is missing or unreadable.
        """
        path = self.epoch_folder(epoch) / f"{sequence:06d}.json"
        try:
            return Manifest.from_bytes(path.read_bytes(), path)
        except FileNotFoundError as error:
            msg = f"Manifest {path} is missing. Restore it, or start over with {reset_command(path)}."
            raise StoreCorrupt(msg) from error

    def last(self, epoch: int) -> Manifest | None:
        """The last committed manifest of an epoch."""
        sequences = self.sequences(epoch)
        return self.manifest(epoch, sequences[-1]) if sequences else None

    def rows(self, epoch: int) -> int:
        """Rows landed in an epoch."""
        folder = self.epoch_folder(epoch)
        so_far = totals.kept(folder)
        return so_far.rows + sum(totals.landed(folder, n) for n in self.sequences(epoch) if n > so_far.through)

    def dead(self, epoch: int) -> int:
        """Dead letters in an epoch, taken up by a replay or not."""
        folder = self.epoch_folder(epoch)
        so_far = totals.kept(folder)
        return so_far.dead + sum(totals.rejected(folder, n) for n in self.sealed(epoch) if n > so_far.through)

    def commit(self, manifest: Manifest) -> None:
        """Commit a batch: its files must be durable before.

        Raises:
            OffsetConflict: another run committed this sequence first.
        """
        path = self.epoch_folder(manifest.epoch) / f"{manifest.sequence:06d}.json"
        if manifest.kind == "replay":
            # A mark that finds replays without reading every manifest; it counts only beside a committed one.
            effects.replace(path.with_suffix(".replay"), b"")
        if not effects.create_if_absent(path, manifest.to_bytes()):
            raise OffsetConflict(self._conflict(f"batch {manifest.epoch}/{manifest.sequence}"))

    def replays(self, epoch: int) -> list[Manifest]:
        """The batches that brought dead letters back, oldest first."""
        marked = _numbers(self.epoch_folder(epoch), _REPLAY) & set(self.sequences(epoch))
        manifests = (self.manifest(epoch, sequence) for sequence in sorted(marked))
        return [manifest for manifest in manifests if manifest.kind == "replay"]

    def has_files(self, epoch: int) -> bool:
        """Whether the epoch holds batch files (dead letters do not count), or what is left of such."""
        folder = self.epoch_folder(epoch)
        attempts = (folder / name for name in _names(folder) if _ATTEMPT.fullmatch(name))
        # another destination's load may be removing them just now
        return any(_holds_rows(attempt) for attempt in attempts)

    def attempt_folder(self, epoch: int, sequence: int, *, validated: bool = False) -> Path:
        """A folder name no other attempt uses; nothing refers to it until a commit does."""
        suffix = ".valid" if validated else ""
        return self.epoch_folder(epoch) / f"{sequence:06d}-{uuid.uuid4().hex[:12]}{suffix}"

    def paths(self, epoch: int, files: Iterable[DataFile]) -> list[Path]:
        """Local paths of committed files.

        Raises:
            StoreCorrupt: one is missing or has another size than was committed.
        """
        found = []
        for file in files:
            path = self.epoch_folder(epoch) / file.path
            size = path.stat().st_size if path.is_file() else None
            if size != file.bytes:
                raise StoreCorrupt(gone.problem(self, epoch, file, size))
            found.append(path)
        return found

    # verdicts

    def sealed(self, epoch: int) -> set[int]:
        """Sequences with a sealed verdict."""
        return _numbers(self.epoch_folder(epoch), _VERDICT)

    def verdict(self, epoch: int, sequence: int) -> Verdict | None:
        """The sealed verdict of a batch, if there is one."""
        path = self.epoch_folder(epoch) / f"{sequence:06d}.verdict.json"
        try:
            return Verdict.from_bytes(path.read_bytes(), path)
        except FileNotFoundError:
            return None

    def seal(self, verdict: Verdict) -> None:
        """Seal a verdict: from now on destinations load these rows.

        Raises:
            OffsetConflict: another run sealed this batch first.
        """
        path = self.epoch_folder(verdict.epoch) / f"{verdict.sequence:06d}.verdict.json"
        if not effects.create_if_absent(path, verdict.to_bytes()):
            raise OffsetConflict(self._conflict(f"the verdict on batch {verdict.epoch}/{verdict.sequence}"))

    def hold(self, verdict: Verdict) -> None:
        """Note that the gate held a batch; the batch stays landed and is judged anew by the next run."""
        folder = self.epoch_folder(verdict.epoch)
        taken = max((n for s, n in _pairs(folder, _HELD) if s == verdict.sequence), default=0)
        effects.replace(folder / f"{verdict.sequence:06d}.held-{taken + 1:04d}.json", verdict.to_bytes())

    def held(self, epoch: int) -> Verdict | None:
        """The last note on a batch that is held still."""
        folder = self.epoch_folder(epoch)
        open_notes = [pair for pair in _pairs(folder, _HELD) if pair[0] not in self.sealed(epoch)]
        if not open_notes:
            return None
        sequence, number = max(open_notes)
        path = folder / f"{sequence:06d}.held-{number:04d}.json"
        return Verdict.from_bytes(path.read_bytes(), path)

    # offsets of destinations that cannot keep their own

    def offset(self, destination: str) -> Offset | None:
        """The offset kept here for a destination without a store of its own.

        Raises:
            StoreCorrupt: its file is damaged.
        """
        path = self.folder / "offsets" / f"{destination}.json"
        try:
            body = json.loads(path.read_bytes())
            return Offset(int(body["epoch"]), int(body["sequence"]))
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            msg = (
                f"The offset {path} is unreadable ({type(error).__name__}: {error}). Restore it from a backup; without "
                f"the file, `{destination}` would get every batch again."
            )
            raise StoreCorrupt(msg) from error

    def offsets(self) -> dict[str, Offset]:
        """All offsets kept here, by destination."""
        names = [name.removesuffix(".json") for name in _names(self.folder / "offsets") if not name.startswith(".")]
        return {name: offset for name in sorted(names) if (offset := self.offset(name)) is not None}

    def set_offset(self, destination: str, offset: Offset, token: str) -> None:
        """Keep such an offset, durably."""
        body: dict[str, Any] = {"epoch": offset.epoch, "sequence": offset.sequence, "token": token}
        effects.replace(self.folder / "offsets" / f"{destination}.json", json.dumps(body).encode())

    # what a crash left behind

    def sweep(self) -> None:
        """Remove attempts and marks that no manifest and no verdict refers to; call it with the lock held.

        So are folders of epochs that were not begun. The sums over many batches are brought forward besides.
        """
        begun = set(self.epochs())
        for epoch in self._epoch_folders():
            folder = self.epoch_folder(epoch)
            if epoch not in begun:
                effects.remove(folder)
                continue
            effects.sweep(folder)
            committed, sealed = set(self.sequences(epoch)), self.sealed(epoch)
            for name in _names(folder):
                match = _ATTEMPT.fullmatch(name) or _REPLAY.fullmatch(name)
                known = sealed if name.endswith(".valid") else committed
                if match and int(match[1]) not in known:
                    effects.remove(folder / name)
            totals.bring_forward(folder, committed, sealed)
        effects.sweep(self.folder / "offsets")

    def _conflict(self, what: str) -> str:
        return (
            f"Another run committed {what} of feed {self.feed.pipeline}/{self.feed.key} first. "
            "Nothing was lost or doubled: run it again."
        )


def _numbers(folder: Path, pattern: re.Pattern[str]) -> set[int]:
    return {int(match[1]) for name in _names(folder) if (match := pattern.fullmatch(name))}


def _pairs(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    return [(int(match[1]), int(match[2])) for name in _names(folder) if (match := pattern.fullmatch(name))]


def _holds_rows(attempt: Path) -> bool:
    """Whether batch files lie in an attempt's folder, or did until a process was killed that removed them."""
    names = _names(attempt)
    return any(not name.startswith(("dead", "unread")) for name in names) or (not names and attempt.is_dir())


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - tens of thousands of names, of which no paths are made
    except FileNotFoundError:
        return []
