"""Everything that outlasts the process passes through here: files, folders, names, statements, commits, events.

So there is one list of the moments at which a crash can leave something half
done, and one place at which tests can attack each of them: what :data:`hook`
holds is called before and after every effect. Nothing but the tests sets it;
otherwise an effect costs one look at it. Which order of effects is safe is left
to the callers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Moment = Literal["before", "after"]

#: called as ``hook(moment, kind, what)``; only tests set it, to die there
hook: Callable[[Moment, str, str], None] | None = None


@contextlib.contextmanager
def effect(kind: str, what: object) -> Iterator[None]:
    """Name the effect that the block has.

    Args:
        kind: ``write``, ``fsync``, ``link``, ``sql``, ``commit``, …
        what: the path or the statement.
    """
    if hook is None:
        yield
        return
    hook("before", kind, str(what))
    yield
    if hook is not None:
        hook("after", kind, str(what))


@contextlib.contextmanager
def committing(transaction: AbstractContextManager[object], what: str) -> Iterator[None]:
    """Run the block inside a transaction whose end is the commit, an effect of its own."""
    with contextlib.ExitStack() as stack, transaction:
        yield
        stack.enter_context(effect("commit", what))


def make_folder(path: Path) -> None:
    """Create a folder and its parents; existing ones are fine."""
    if not path.is_dir():
        with effect("mkdir", path):
            path.mkdir(parents=True, exist_ok=True)


def create(path: Path) -> BinaryIO:
    """Open a new file for writing; one of that name is emptied."""
    with effect("create", path):
        return path.open("wb")


def fill(file: BinaryIO, content: bytes) -> None:
    """Write the content of a file just opened, and force it to disk."""
    with effect("write", file.name):
        file.write(content)
        file.flush()
    with effect("fsync", file.name):
        os.fsync(file.fileno())


def open_to_append(path: Path) -> BinaryIO:
    """Open a file to write behind what it holds, each write at once."""
    with effect("create", path):
        return path.open("ab", buffering=0)


def append(file: BinaryIO, content: bytes) -> None:
    """Write behind what a file holds: it survives the process; :func:`sync` makes it survive a power cut."""
    with effect("append", file.name):
        file.write(content)


def write(path: Path, content: bytes) -> None:
    """Write a whole file; whether it survives a power cut is left to the system."""
    with effect("write", path):
        path.write_bytes(content)


def sync(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk."""
    with effect("fsync", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def link(source: Path, target: Path) -> None:
    """Give a file a second name.

    Raises:
        FileExistsError: the name is taken.
    """
    with effect("link", target):
        os.link(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file's content."""
    with effect("copy", target):
        shutil.copyfile(source, target)


def rename(source: Path, target: Path) -> None:
    """Rename a file, in place of what bore the name."""
    with effect("rename", target):
        source.replace(target)


def unlink(path: Path) -> None:
    """Remove a name; one that is gone already is fine."""
    with effect("unlink", path):
        path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove an empty folder."""
    with effect("rmdir", path):
        path.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it."""
    with effect("rmtree", path):
        shutil.rmtree(path)
