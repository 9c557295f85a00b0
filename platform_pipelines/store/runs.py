"""Run records: one entry a stage, found by token or by pipeline.

A record is history for people. No promise rests on it: the watermark lies in
the manifests, the offsets at the destinations.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import durable
from platform_pipelines.spec.secrets import mask, mask_all
from platform_pipelines.store import effects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE32 = str.maketrans(_CROCKFORD, "0123456789abcdefghijklmnopqrstuv")
#: locked by each process that works on a run, as long as it lives
_ALIVE = ".alive"
_TOKEN = re.compile(r"pt-[0-9a-z-]{4,64}")
_ULID = re.compile(rf"pt-([{_CROCKFORD}]{{26}})")
#: nanoseconds since 1970, and the stage
_NAMED = re.compile(r"(\d{1,20})-(.+)\.json")
#: what a record of a stage always says
_NEEDED = {"end": {"status"}, "error": {"error"}, "step": {"asset", "state"}, "load": {"destination"}}
#: seconds that a file system's clock may be behind the one that names records
_CLOCKS = 2.0


def new_token() -> str:
    """A run token: ``pt-`` and a ULID, so tokens sort by time (https://github.com/ulid/spec)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "pt-" + "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage of one run.

    Attributes:
        token: the run's token.
        pipeline: its pipeline.
        stage: ``begin``, ``landing``, ``validated``, ``load``, ``end`` or ``error``.
        at: seconds since 1970, UTC.
        body: what the stage has to say, JSON-ready.
        file: name of its record; those of a run sort by time.
    """

    token: str
    pipeline: str
    stage: str
    at: float
    body: dict[str, Any]
    file: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is written of one run.

    Attributes:
        began: when its first record was written, in seconds since 1970, UTC; None if it has none.
        entries: its stages, oldest first.
        damaged: paths of records that cannot be read: cut short by a crash, or changed since.
    """

    began: float | None
    entries: tuple[Entry, ...]
    damaged: tuple[str, ...]


class RunLog:
    """Run records below ``folder``: ``<pipeline>/<token>/<nanoseconds>-<stage>.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, pipeline: str, token: str, stage: str, body: dict[str, Any]) -> None:
        """Record that a run entered or ended a stage.

        Raises:
            ConnectError: the disk is full, read-only or gone.
        """
        path = self._folder / pipeline / token / f"{time.time_ns():020d}-{stage}.json"
        with effects.named_errors(path):
            effects.make_folder(path.parent)
            durable.write(path, json.dumps(mask_all(body), default=lambda each: mask(str(each))).encode())

    @contextlib.contextmanager
    def alive(self, pipeline: str, token: str) -> Iterator[None]:
        """Let others see that this process works on the run; the kernel takes that back if it dies."""
        path = self._folder / pipeline / token / _ALIVE
        with effects.named_errors(path):
            effects.make_folder(path.parent)
            file = path.open("ab")
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def is_alive(self, pipeline: str, token: str) -> bool:
        """Whether a process works on the run, on any machine that shares the locks of the landing log."""
        try:
            with (self._folder / pipeline / token / _ALIVE).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def tokens(self, pipeline: str) -> list[str]:
        """Tokens of a pipeline's runs, in no order: those of runs in Dagster do not sort by time."""
        folder = self._folder / pipeline
        if not folder.is_dir():
            return []
        return [name for name in os.listdir(folder) if _TOKEN.fullmatch(name)]  # noqa: PTH208 - of 100,000 runs

    def newest(self, pipelines: Sequence[str], count: int) -> list[tuple[str, str]]:
        """Pipeline and token of the runs that began last, newest first.

        Args:
            pipelines: whose runs.
            count: of runs at most. Of the others no record is looked up.
        """
        known = [self._latest(pipeline, token) for pipeline in pipelines for token in self.tokens(pipeline)]
        heapq.heapify(known)
        found: list[tuple[str, str]] = []
        while known and len(found) < count:
            _, pipeline, token, exact = heapq.heappop(known)
            if exact:
                found.append((pipeline, token))
            else:
                heapq.heappush(known, (-self._began(pipeline, token), pipeline, token, True))
        return found

    def _latest(self, pipeline: str, token: str) -> tuple[float, str, str, bool]:
        """The negated time at which a run began, at the latest; its pipeline and token; whether the time is exact."""
        if ulid := _ULID.fullmatch(token):
            return -int(ulid[1][:10].translate(_BASE32), 32) / 1e3, pipeline, token, True
        return -(self._folder / pipeline / token).stat().st_mtime - _CLOCKS, pipeline, token, False

    def _began(self, pipeline: str, token: str) -> float:
        first = _first(self._paths(pipeline, token))
        return (self._folder / pipeline / token).stat().st_mtime if first is None else first

    def pipelines(self) -> list[str]:
        """Pipelines that have run."""
        return sorted(p.name for p in self._folder.iterdir()) if self._folder.is_dir() else []

    def find(self, token: str) -> str | None:
        """The pipeline a token belongs to."""
        if not _TOKEN.fullmatch(token):
            return None
        return next((p for p in self.pipelines() if (self._folder / p / token).is_dir()), None)

    def entries(self, pipeline: str, token: str, after: str = "") -> list[Entry]:
        """A run's stages behind the record ``after``, oldest first; a record that is damaged is left out."""
        paths = (path for path in self._paths(pipeline, token) if path.name > after)
        return [entry for path in paths if (entry := _entry(path)) is not None]

    def record(self, pipeline: str, token: str) -> Record:
        """All that is written of a run."""
        paths = self._paths(pipeline, token)
        read = [(path, _entry(path)) for path in paths]
        return Record(
            began=_first(paths),
            entries=tuple(entry for _, entry in read if entry is not None),
            damaged=tuple(str(path) for path, entry in read if entry is None),
        )

    def _paths(self, pipeline: str, token: str) -> list[Path]:
        return sorted((self._folder / pipeline / token).glob("*.json"))


def _first(paths: Sequence[Path]) -> float | None:
    """When the first of a run's records was written, by its name, in seconds since 1970; None if there is none."""
    names = (_NAMED.fullmatch(path.name) for path in paths)
    return next((int(name[1]) / 1e9 for name in names if name), None)


def _entry(path: Path) -> Entry | None:
    """What a record says; None if it is damaged."""
    named = _NAMED.fullmatch(path.name)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    if named is None or not isinstance(body, dict) or not _NEEDED.get(named[2], set()) <= body.keys():
        return None
    return Entry(path.parent.name, path.parent.parent.name, named[2], int(named[1]) / 1e9, body, path.name)
