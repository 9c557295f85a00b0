"""Temporary folders that live as long as the process that made them.

The kernel holds a lock on each while its process lives. So whatever a killed
process left behind can be told from what is in use, on any later occasion, and
is removed by :func:`sweep`. What lies in a folder is left to its user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines import durable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: what the names of folders in the system's temporary folder begin with
PREFIX = "pipelines-scratch-"
_MARK = re.compile(r"[0-9a-f]{32}")


class Scratch:
    """A new folder; removed by :meth:`close`, with the last reference, or at exit.

    Args:
        prefix: what its name begins with; the rest tells it from any folder of a person's.
        parent: where it lies; default the system's temporary folder.
    """

    def __init__(self, prefix: str = PREFIX, parent: Path | None = None) -> None:
        self.path, descriptor = _make(prefix, parent)
        self._release = weakref.finalize(self, _remove, self.path, descriptor, os.getpid())

    def close(self) -> None:
        """Remove the folder and all in it."""
        if (kept := self._release.detach()) is not None:
            path, descriptor, owner = kept[2]
            try:
                if owner == os.getpid():
                    durable.remove_tree(path)
            finally:
                os.close(descriptor)


def sweep(prefix: str = PREFIX, parent: Path | None = None) -> None:
    """Remove the folders whose processes are dead.

    Args:
        prefix: what their names begin with.
        parent: where they lie; default the system's temporary folder.
    """
    for path in left(prefix, parent):
        # gone meanwhile, no folder, of another user, or in use
        with contextlib.suppress(OSError), locked(path):
            durable.remove_tree(path)


def left(prefix: str, parent: Path | None = None) -> list[Path]:
    """The folders that are there, whether or not their processes live."""
    folder = parent or Path(tempfile.gettempdir())
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(prefix)]
    return [folder / name for name in names if _MARK.fullmatch(name.removeprefix(prefix))]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have a folder whose process is dead to oneself.

    Raises:
        OSError: its process lives, or it is gone, no folder, or of another user.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _make(prefix: str, parent: Path | None) -> tuple[Path, int]:
    while True:
        path = (parent or Path(tempfile.gettempdir())) / f"{prefix}{uuid.uuid4().hex}"
        path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # swept before it could be locked
            continue
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, descriptor
        os.close(descriptor)  # swept between its creation and its lock


def _remove(path: Path, descriptor: int, owner: int) -> None:
    if owner == os.getpid():  # a forked child leaves its parent's alone
        shutil.rmtree(path, ignore_errors=True)
    os.close(descriptor)
