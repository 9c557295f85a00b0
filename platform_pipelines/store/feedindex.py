"""What was found out about each feed of a pipeline, kept, so that not every folder is opened again.

    <store>/<pipeline>/feeds.index.json

An entry counts as long as the feed's folder and those right below it have the
times and numbers that they had before it was made: every change to a log creates,
renames or removes a name in one of them. The file is no memory: what is missing or
changed is looked at anew. What is found out is left to the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from platform_pipelines import collector
from platform_pipelines.errors import ConnectError
from platform_pipelines.store import effects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from platform_pipelines.model import Feed

#: what was found out about one feed, as JSON
Digest = dict[str, Any]
#: of a feed's folder: when names in it changed last (ns), its number on the disk; then of each folder in it: its name
#: and the same two. One flat list, for there may be a hundred thousand of them.
Stamp = list[Any]
#: by the name of the feed's folder
Known = dict[str, tuple[Stamp, Digest]]
#: fewer feeds than this are not worth a file, nor are fewer changes another one
STEP = 256
_OWN = 2
_INNER = 3
#: nanoseconds within which a file system may give two changes the same time
_COARSE = 2_000_000_000


class FeedIndex:
    """The index of one pipeline.

    Args:
        folder: of the pipeline, in the store.
        shape: what its digests look like; those of another shape are made anew.
    """

    def __init__(self, folder: Path, shape: int) -> None:
        self._feeds = str(folder / "feeds")
        self._file = folder / "feeds.index.json"
        self._shape = shape

    def digests(self, feeds: Sequence[Feed], make: Callable[[Feed], Digest]) -> list[Digest]:
        """The digest of each of ``feeds``.

        Args:
            feeds: of the pipeline.
            make: finds out; called for those feeds only that changed or are not known.
        """
        if len(feeds) < STEP:
            return [make(feed) for feed in feeds]
        with collector.resting():
            known = self._read()
            # all times before all looks: what changes while a feed is looked at has a later time
            names = [feed.folder for feed in feeds]
            stamps = [self._stamp(name, known) for name in names]
            newest = max(_newest(stamps), self._written())
        found = []
        made = 0
        for feed, name, stamp in zip(feeds, names, stamps, strict=True):
            entry = known.get(name)
            if entry is None or entry[0] != stamp:
                entry = known[name] = (stamp, make(feed))
                made += 1
            found.append(entry[1])
        if made >= STEP:
            self._keep(known, newest)
        return found

    def _stamp(self, name: str, known: Known) -> Stamp:
        folder = f"{self._feeds}/{name}"
        stamp: Stamp = _times(folder)
        before: Stamp = known[name][0] if name in known else []
        if before[:_OWN] == stamp:
            inner = before[_OWN::_INNER]
        else:
            with os.scandir(folder) as entries:
                inner = sorted(entry.name for entry in entries if entry.is_dir())
        for each in inner:
            stamp += (each, *_times(f"{folder}/{each}"))
        return stamp

    def _read(self) -> Known:
        try:
            body = json.loads(self._file.read_bytes())
            found: dict[str, Any] = body["feeds"] if body["shape"] == self._shape else {}
            return {name: (stamp, digest) for name, (stamp, digest) in found.items()}
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _written(self) -> int:
        """When the file system last saw this index written, in nanoseconds; 0 for never."""
        try:
            return self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _keep(self, known: Known, newest: int) -> None:
        """Write down what is old enough that no later change can bear the same times."""
        settled = {name: entry for name, entry in known.items() if _newest([entry[0]]) < newest - _COARSE}
        body = json.dumps({"shape": self._shape, "feeds": settled}, separators=(",", ":"))
        with contextlib.suppress(ConnectError):  # who may only read looks at everything each time
            effects.replace(self._file, body.encode())


def _times(folder: str) -> list[int]:
    found = os.stat(folder)  # noqa: PTH116 - hundreds of thousands of them
    return [found.st_mtime_ns, found.st_ino]


def _newest(stamps: Sequence[Stamp]) -> int:
    newest: int = max(max(stamp[::_INNER]) for stamp in stamps)  # times are at 0, and one behind each name at 3, 6, …
    return newest
