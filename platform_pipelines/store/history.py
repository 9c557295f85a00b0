"""What the batches of a pipeline were like: one small entry a batch, the newest kept.

An entry is a record for comparison and alerts. No promise rests on it; one that a
crash cut short is left out. What entries say is left to the engine.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from platform_pipelines import durable
from platform_pipelines.store import effects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: entries kept of each group
KEPT = 2_000
_SLACK = 200
_ENTRY = re.compile(r"(\d{20})-[0-9a-f]{8}\.json")


class HistoryLog:
    """Entries below ``folder``: ``<group>/<nanoseconds>-<random>.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, group: str, body: dict[str, Any]) -> None:
        """Add an entry, and let go of the oldest where there are too many.

        Raises:
            ConnectError: the disk is full, read-only or gone.
        """
        path = self._folder / group / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json"
        with effects.named_errors(path):
            effects.make_folder(path.parent)
            durable.write(path, json.dumps(body).encode())
            names = self._names(group)
            for name in names[:-KEPT] if len(names) > KEPT + _SLACK else ():
                effects.remove(path.parent / name)

    def latest(self, group: str) -> Iterator[dict[str, Any]]:
        """A group's entries, newest first; read one by one."""
        for name in reversed(self._names(group)):
            yield from self._read(group, name)

    def since(self, nanoseconds: int) -> Iterator[dict[str, Any]]:
        """The entries of all groups from a moment on (since 1970, UTC); others are not read."""
        for group in sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else ():
            for name in reversed(self._names(group)):
                if int(name[:20]) < nanoseconds:
                    break
                yield from self._read(group, name)

    def _names(self, group: str) -> list[str]:
        folder = self._folder / group
        return sorted(path.name for path in folder.iterdir() if _ENTRY.fullmatch(path.name)) if folder.is_dir() else []

    def _read(self, group: str, name: str) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            body: dict[str, Any] = json.loads((self._folder / group / name).read_bytes())
            yield body
