"""Every durable effect on the local file system, one function each.

All that must survive a crash goes through here, in the order write, fsync,
publish, fsync of the folder; so there is one place to reason about (and to
attack) durability. What the files mean is left to the callers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    path.mkdir(parents=True, exist_ok=True)


def sync_file(path: Path) -> None:
    """Force a file's content to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        temporary = _write_temporary(path, content)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Publish ``content`` under ``path``, in place of what was there; atomic and durable.

    Raises:
        ConnectError: the disk is full, read-only or gone.
    """
    with named_errors(path):
        make_folder(path.parent)
        temporary = _write_temporary(path, content)
        temporary.replace(path)
        sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder tree; a name that is gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=False)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _write_temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return temporary
