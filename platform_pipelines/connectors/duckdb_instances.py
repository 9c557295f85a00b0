"""One DuckDB instance for each file in this process, shared by whoever needs the file at the same time.

DuckDB refuses a second instance of a file in another mode, and opening one while
another thread closes it can fail for as long as both go on. Opening and closing
therefore take turns here. What is run on a connection is left to the callers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from typing import TYPE_CHECKING

from platform_pipelines import duck, durable
from platform_pipelines.connectors.duckdb_blocks import KeptBlocks, restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

# another process has the file; or somebody in this one opened it without asking here
_BUSY = re.compile(r"Could not set lock on file|different configuration than existing|already attached by database")
# closing writes a checkpoint only where it is done here, behind a copy of the blocks, and not as a process ends
_NO_CHECKPOINT, _CHECKPOINT = "pragma disable_checkpoint_on_shutdown", "pragma enable_checkpoint_on_shutdown"
_log = logging.getLogger(__name__)
_guard = threading.Lock()
_instances: dict[tuple[int, Path], _Instance] = {}


class ReadHereError(Exception):
    """This process reads the file through an instance that cannot write."""


def is_busy(error: BaseException) -> bool:
    """Whether opening failed because the file is in use; it may succeed later."""
    import duckdb

    return isinstance(error, ReadHereError) or (isinstance(error, duckdb.Error) and bool(_BUSY.search(str(error))))


@contextlib.contextmanager
def opened(path: Path, *, read_only: bool, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own to the file's instance, which is closed with its last connection.

    Args:
        path: the database file.
        read_only: do not ask for the write lock; an instance that has it is shared nevertheless.
        wait: seconds to wait while the file is in use.

    Raises:
        ReadHereError: it was still being read in this process.
        duckdb.Error: it cannot be opened, or (see :func:`is_busy`) another process still had it.
    """
    instance = _instance(path)
    connection = instance.join(read_only=read_only, wait=wait)
    try:
        yield connection
    finally:
        instance.leave(connection)


def keep_blocks(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Before every commit of a change, which may write a checkpoint: see :mod:`.duckdb_blocks`."""
    _instance(path).keep_blocks(connection)


def recover(path: Path) -> None:
    """Put back what a dead process left half written; where the file is open here, that was done when it was opened."""
    _instance(path).recover()


def _instance(path: Path) -> _Instance:
    with _guard:
        # a forked child must not use its parent's instance
        return _instances.setdefault((os.getpid(), path.resolve()), _Instance(path.resolve()))


class _Instance:
    """A file's instance, open while anybody uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._read_only = False
        self._users = 0
        self._blocks = KeptBlocks(path)

    def join(self, *, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

        with self._changed:
            return Retrying(
                retry=retry_if_exception(is_busy),
                stop=stop_after_delay(wait),
                wait=wait_random_exponential(multiplier=0.01, max=0.1),
                sleep=self._pause,
                reraise=True,
            )(self._attempt, read_only=read_only)

    def leave(self, connection: duckdb.DuckDBPyConnection) -> None:
        with self._changed:
            duck.end(connection)
            self._users -= 1
            self._close_unused()
            self._changed.notify_all()

    def recover(self) -> None:
        with self._changed:
            if self._root is None:  # else its checkpoint may be under way
                restore(self._path)

    def keep_blocks(self, connection: duckdb.DuckDBPyConnection) -> None:
        import duckdb

        try:
            self._blocks.keep(connection)
        except OSError as error:  # no room for it: a load that needs less may still succeed
            _log.warning(
                "A kill during the next checkpoint of %s could spoil it: what that writes over cannot be copied into "
                "%s (%s). Make room there, or mend its permissions.",
                self._path,
                self._path.parent,
                error.strerror,
            )
        except duckdb.Error:  # what cannot be asked will not write a checkpoint, and says why where it is used
            _log.debug("%s was not asked which blocks it writes over.", self._path, exc_info=True)

    def _pause(self, seconds: float) -> None:
        self._changed.wait(seconds)  # others can leave meanwhile

    def _attempt(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if self._root is None:
            restore(self._path)
            self._root = duck.connect(self._path, read_only=read_only)
            self._read_only = read_only
            self._root.execute(_NO_CHECKPOINT)
            duck.leave_a_core(self._root)
        elif self._read_only and not read_only:
            raise ReadHereError
        try:
            connection = duck.sibling(self._root)
        except BaseException:
            self._close_unused()
            raise
        self._users += 1
        return connection

    def _close_unused(self) -> None:
        if not self._users and self._root is not None:
            log = self._path.with_name(f"{self._path.name}.wal")
            try:
                if not self._read_only and log.exists():
                    self.keep_blocks(self._root)
                    with durable.effect("checkpoint", self._path):
                        _close(self._root, _CHECKPOINT)
            finally:
                _close(self._root, _NO_CHECKPOINT)
                self._root = None
                self._blocks.drop()


def _close(root: duckdb.DuckDBPyConnection, setting: str) -> None:
    """Close the file, with a checkpoint or without; it may be closed already."""
    import duckdb

    with contextlib.suppress(duckdb.Error):  # closed for good by an error: the log stays
        root.execute(setting)
    root.close()
