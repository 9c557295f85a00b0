"""Keeps what a checkpoint of DuckDB writes over, until it is done: a kill in the middle cannot spoil the file.

DuckDB keeps its metadata in blocks that every checkpoint rewrites where they are
(``MetadataManager::Flush``), before a new header names them. What the old header
needs stays in them, but a process that is killed, or a machine that loses power, in
the midst of one leaves a block that fails its checksum, and a file that nobody can
open. So those blocks are copied beforehand, with the headers of that moment, as
InnoDB does in its doublewrite buffer. Where a dead process left such a copy and the
file still has the same headers, no checkpoint has ended since, and the copy is
what belongs there.

The copy lies in a folder beside the file that its process keeps locked. The layout
is that of https://duckdb.org/docs/internals/storage: three headers of 4 KB, then
blocks; the last two headers hold the size of a block as their sixth number.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from platform_pipelines import durable, scratch
from platform_pipelines.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_HEADER = 4096
_HEADERS = 3 * _HEADER
_MAGIC, _MAGIC_AT = b"DUCK", 8
_SIZE = struct.Struct("<Q")
_SIZE_AT = _HEADER + 5 * _SIZE.size
_SIZES = {1 << bits for bits in range(12, 19)}  # 4 KB to 256 KB
_COPY = "blocks"
#: where a process sees the files that it has open
_DESCRIPTORS = Path("/dev/fd")


class KeptBlocks:
    """The copy of one instance's blocks.

    Args:
        path: the database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: Scratch | None = None
        self._headers = b""

    def keep(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy what the next checkpoint may write over, unless that has been done; nobody else may write meanwhile.

        Args:
            connection: to the instance, which has the file open.
        """
        descriptor = _descriptor(self._path)
        headers = b"" if descriptor is None else os.pread(descriptor, _HEADERS, 0)
        if descriptor is None or headers == self._headers or not (size := _block_size(headers)):
            return
        found = connection.execute("select block_id from pragma_metadata_info(current_database())").fetchall()
        places = [_HEADERS + block * size for (block,) in found]
        if self._folder is None:
            self._folder = Scratch(_prefix(self._path), self._path.parent)
        _write(self._folder.path / _COPY, headers, size, ((at, os.pread(descriptor, size, at)) for at in places))
        self._headers = headers

    def drop(self) -> None:
        """Remove the copy: the file was closed."""
        if self._folder is not None:
            self._folder.close()
        self._folder, self._headers = None, b""


def restore(path: Path) -> None:
    """Put blocks back that a process wrote over and never finished; remove what dead processes left.

    Nothing is done where another process has the file open: it has looked itself.
    """
    for folder in scratch.left(_prefix(path), path.parent):
        # of a living process, or gone meanwhile; or the file is in use, gone, or not ours to write
        with contextlib.suppress(OSError), scratch.locked(folder), _alone(path) as file:
            _put_back(folder / _COPY, file)
            durable.remove_tree(folder)


def _prefix(path: Path) -> str:
    return f".{path.name}.blocks-"


def _descriptor(path: Path) -> int | None:
    """DuckDB's own descriptor of the file: to close one of ours would give up the lock that DuckDB has on it."""
    wanted = path.stat()
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.is_dir() else ():
        with contextlib.suppress(OSError):  # the one that lists the folder
            if os.path.samestat(os.fstat(int(entry.name)), wanted):
                return int(entry.name)
    return None


def _block_size(headers: bytes) -> int:
    """Bytes of a block; 0 if this is not a layout we know."""
    if len(headers) < _HEADERS or headers[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        return 0
    size: int = _SIZE.unpack_from(headers, _SIZE_AT)[0]
    return size if size in _SIZES else 0


def _write(path: Path, headers: bytes, size: int, blocks: Iterator[tuple[int, bytes]]) -> None:
    """The headers, and each block behind its place in the file; of that name only when it is whole and on disk."""
    temporary = path.with_suffix(".tmp")
    with durable.create(temporary) as file:
        with durable.effect("write", temporary):
            file.write(headers)
            for place, content in blocks:
                if len(content) == size:  # else it is new, and not in the file yet
                    file.write(_SIZE.pack(place) + content)
        durable.fill(file, b"")
    durable.rename(temporary, path)
    durable.sync(path.parent)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, locked as DuckDB locks it."""
    with path.open("r+b", buffering=0) as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file


def _put_back(copy: Path, file: BinaryIO) -> None:
    if not copy.is_file():  # its process died before the copy was whole, and so before the checkpoint
        return
    with copy.open("rb") as kept:
        headers = kept.read(_HEADERS)
        if os.pread(file.fileno(), _HEADERS, 0) != headers:  # a checkpoint has ended since
            return
        size = _block_size(headers)
        while place := kept.read(_SIZE.size):
            _restore_block(file, _SIZE.unpack(place)[0], kept.read(size))
    with durable.effect("fsync", file.name):
        os.fsync(file.fileno())


def _restore_block(file: BinaryIO, place: int, content: bytes) -> None:
    if os.pread(file.fileno(), len(content), place) != content:
        with durable.effect("write", file.name):
            os.pwrite(file.fileno(), content, place)
