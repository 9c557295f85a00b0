"""Connections to a DuckDB file: waiting for other processes, errors classed by what to do next.

A file has one writing process. Connections are opened for one operation and
closed right after, so that Dagster steps and a person's own shell take turns.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING

from platform_pipelines import duck, durable, scratch
from platform_pipelines.connectors.duckdb_instances import ReadHereError, is_busy, opened, recover
from platform_pipelines.errors import ConnectError, RetriableError
from platform_pipelines.scratch import Scratch
from platform_pipelines.sql.duckdb_errors import first_line, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

#: seconds to wait for another process, or for a reader in this one
WAIT_SECONDS = 60.0

#: what DuckDB's log grows to before a checkpoint in the middle of a run rewrites it into the file
_LOG_SIZE = "256MB"

_HOLDER = re.compile(r"held in (?P<program>\S+)(?: by user \S+)? \(PID (?P<pid>\d+)\)")
_guard = threading.Lock()
_writers: dict[Path, threading.RLock] = {}


@contextlib.contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to read from the file; other processes may read it too.

    Raises:
        ConnectError: there is no such file, it is no database, or it is in use for too long.
    """
    _check_no_folder(path)
    if not path.is_file():
        msg = f"DuckDB database {path} does not exist. Mend `path` of the connector, or load something into it first."
        raise ConnectError(msg)
    with named_errors(path), _opened(path, read_only=True) as connection:
        yield connection


@contextlib.contextmanager
def writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to write to the file, which is created if missing; one writer at a time in this process.

    Raises:
        ConnectError: the file cannot be created, is no database, or is in use for too long.
    """
    with _guard:
        lock = _writers.setdefault(path.resolve(), threading.RLock())
    _check_no_folder(path)
    with lock, named_errors(path):
        try:
            durable.make_folder(path.parent)
        except OSError as error:
            msg = f"Folder {path.parent} for the DuckDB database cannot be created: {error.strerror}."
            raise ConnectError(msg) from error
        if not path.exists():
            _create(path)
        with _opened(path, read_only=False) as connection:
            yield connection


def sweep(path: Path) -> None:
    """Remove what processes left behind that were killed while they created the file, or wrote to it."""
    if path.parent.is_dir():
        scratch.sweep(_prefix(path), path.parent)
        recover(path)


def _check_no_folder(path: Path) -> None:
    if path.is_dir():
        msg = f"DuckDB database {path} is a folder. Name a file in it, such as `path: {path.name}/warehouse.duckdb`."
        raise ConnectError(msg)


def _create(path: Path) -> None:
    """Create the file whole or not at all: DuckDB refuses one that a kill or a full disk left half created."""
    import duckdb

    folder = Scratch(_prefix(path), path.parent)
    temporary = folder.path / path.name
    try:
        with durable.effect("create", path):
            duck.connect(temporary).close()
        # where the name is taken meanwhile, or there are no hard links, DuckDB opens or creates the file itself
        with contextlib.suppress(OSError):
            durable.link(temporary, path)
    except duckdb.Error as error:
        what = first_line(error).replace(str(temporary), str(path))
        msg = f"DuckDB database {path} cannot be created: {what}"
        raise ConnectError(msg) from error
    finally:
        folder.close()


def _prefix(path: Path) -> str:
    return f".{path.name}."


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep the file open for writing: what is written meanwhile shares the instance, and closes it once, at the end.

    Closing a database writes its checkpoint, which costs more than a small load.

    Raises:
        ConnectError: see :func:`writing`.
    """
    with writing(path) as _:
        pass  # creates the file and its folder
    with named_errors(path), _opened(path, read_only=False) as connection:
        connection.execute(f"set checkpoint_threshold={duck.literal(_LOG_SIZE)}")
        yield


def check_creatable(path: Path) -> None:
    """See whether the file could be created.

    Raises:
        ConnectError: the nearest folder that exists cannot be written to.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        msg = f"DuckDB database {path} cannot be created: {folder} is no folder that can be written to."
        raise ConnectError(msg)


@contextlib.contextmanager
def _opened(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(opened(path, read_only=read_only, wait=WAIT_SECONDS))
        except (duckdb.Error, ReadHereError) as error:
            if is_busy(error):
                raise ConnectError(_busy_message(path, str(error))) from error
            msg = f"DuckDB database {path} cannot be opened: {first_line(error)}"
            raise ConnectError(msg) from error
        yield connection


def _busy_message(path: Path, text: str) -> str:
    holder = _HOLDER.search(text)
    who = f"process {holder['pid']} ({holder['program']})" if holder else "another connection of this process"
    return (
        f"DuckDB database {path} was in use by {who} for {WAIT_SECONDS:.0f} seconds. "
        "DuckDB lets one process write at a time: close the other one, or run again later."
    )


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into this package's."""
    import duckdb

    try:
        with refused(f"DuckDB refuses it ({path})"):
            yield
    except duckdb.TransactionException as error:
        if "No space left" in str(error):
            msg = f"No room is left for DuckDB database {path}: {first_line(error)} Nothing was written. Make room."
            raise ConnectError(msg) from error
        msg = f"Another connection changed the same rows of {path}: {first_line(error)} Nothing was written; run again."
        raise RetriableError(msg) from error
    except duckdb.IOException as error:
        msg = f"DuckDB database {path} cannot be read or written: {first_line(error)}"
        raise ConnectError(msg) from error
