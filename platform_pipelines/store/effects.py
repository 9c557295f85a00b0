"""How the landing log changes on the local file system, one function each.

All that must survive a crash goes through here, in the order write, fsync,
publish, fsync of the folder. The single effects are those of ``durable``; what
the files mean is left to the callers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_SUFFIX = ".tmp"


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Say of what the system refuses where it was, and what can be done.

    Raises:
        ConnectError: the disk is full, read-only or gone.
    """
    try:
        yield
    except OSError as error:
        msg = (
            f"The landing log cannot be written at {path}: {error.strerror or error}. "
            "Make room, mend its permissions, or set PIPELINES_STORE to a folder that can be written."
        )
        raise ConnectError(msg) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents; existing ones are fine."""
    durable.make_folder(path)


def sync_file(path: Path) -> None:
    """Force a file's content to disk."""
    durable.sync(path)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to disk, so that a new name survives a power cut."""
    sync_file(path)


def create_if_absent(path: Path, content: bytes) -> bool:
    """Publish ``content`` under ``path`` unless that name is taken; atomic and durable.

    The content is written and synced under a temporary name, then linked: a
    reader sees the whole file or none, and of two writers one wins.

    Returns:
        True if this call created it, False if it was there already.

    Raises:
        ConnectError: the disk is full, read-only or gone.
    """
    with named_errors(path):
        make_folder(path.parent)
        with _temporary(path, content) as temporary:
            try:
                durable.link(temporary, path)
            except FileExistsError:
                return False
        sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Publish ``content`` under ``path``, in place of what was there; atomic and durable.

    Raises:
        ConnectError: the disk is full, read-only or gone.
    """
    with named_errors(path):
        make_folder(path.parent)
        with _temporary(path, content) as temporary:
            durable.rename(temporary, path)
        sync_folder(path.parent)


def set_aside(path: Path, suffix: str) -> Path:
    """Give a folder a name that nobody looks at, its own with ``suffix`` behind; atomic and durable.

    Returns:
        The new path; a number is added to a name that is taken.

    Raises:
        ConnectError: the disk is read-only or gone.
    """
    target, number = path.with_name(path.name + suffix), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}{suffix}-{number}")
    with named_errors(path):
        durable.rename(path, target)
        sync_folder(path.parent)
    return target


def remove(path: Path) -> None:
    """Remove a file or a folder tree; a name that is gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        durable.remove_tree(path)
    else:
        durable.unlink(path)


def sweep(folder: Path) -> None:
    """Remove temporary files whose writers are dead; those of living ones are locked."""
    for path in folder.glob(f".*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            durable.unlink(path)


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """The content, durable, under a temporary name that goes in the end; locked meanwhile, see :func:`sweep`."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{_SUFFIX}")
        with durable.create(temporary) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if not os.fstat(file.fileno()).st_nlink:
                continue  # swept between its creation and its lock
            try:
                durable.fill(file, content)
                yield temporary
            finally:
                if temporary.exists():
                    durable.unlink(temporary)
            return
