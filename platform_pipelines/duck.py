"""The embedded DuckDB: connections, bundled extensions, quoting.

What is run on a connection is left to the callers. Extensions come as wheels
and are loaded from disk, so nothing is downloaded at run time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.errors import FatalError
from platform_pipelines.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

#: instances that their owners keep open until the process ends
_lent: list[Kept] = []
_spilling = threading.Lock()
_spills: dict[int, Scratch] = {}

#: megabytes DuckDB may use before it spills to disk, unless the caller says otherwise
_MEGABYTES = 256
DEFAULT_MEMORY = f"{_MEGABYTES}MB"
#: columns that they suffice for, and megabytes for each further one, in two threads: every operator holds 2,048
#: values of each column at once
_COLUMNS, _MEGABYTES_OF_COLUMN = 400, 0.5

# threads compute as much of a result before it is asked for: with DuckDB's own 1 MB they mostly wait for each other,
# and of 16 MB only six are for what comes out of turn, less than a thread makes of one buffer of text
_LOCAL = "set timezone='UTC'; set enable_progress_bar=false; set streaming_buffer_size='32MB'"


def connect(
    path: Path | str | None = None,
    *,
    read_only: bool = False,
    extensions: Sequence[str] = (),
    memory_limit: str | None = None,
    threads: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection in UTC that spills to disk and never goes online.

    In-memory connections share one instance a process, and with it memory and
    threads: opening one costs next to nothing. What they hold apart is temporary:
    create temporary views and tables in them, and registered Arrow data.

    Args:
        path: database file; None for a private in-memory database.
        read_only: open the file without the write lock.
        extensions: bundled extensions to load, such as ``postgres_scanner`` or ``icu``.
        memory_limit: such as ``1GB``; default ``PIPELINES_DUCKDB_MEMORY`` or 256 MB.
            Applies to in-memory databases; a database file keeps DuckDB's own limit.
        threads: that work on its queries, the caller's included; None for as many as there are cores.

    Raises:
        FatalError: an extension's wheel is not installed.
        duckdb.Error: the file cannot be opened.
    """
    if path is None and not extensions and memory_limit is None and threads is None:
        return _shared.connection()
    connection = _open(path, read_only=read_only, extensions=extensions, memory_limit=memory_limit)
    if threads is not None:
        connection.execute(f"set threads={threads}")
    return connection


def connect_for(columns: int) -> duckdb.DuckDBPyConnection:
    """Open an in-memory connection with room for a relation of so many columns.

    Up to 400 share the instance of :func:`connect`. More get one of their own, which may use half a megabyte more
    for each column, unless ``PIPELINES_DUCKDB_MEMORY`` is set.
    """
    if columns <= _COLUMNS or "PIPELINES_DUCKDB_MEMORY" in os.environ:
        return connect()
    memory = f"{round(_MEGABYTES + columns * _MEGABYTES_OF_COLUMN)}MB"
    # what is common to expressions is searched for in a time that grows with the square of their number
    return connect(memory_limit=memory, threads=2).execute("set disabled_optimizers='common_subexpressions'")


@contextlib.contextmanager
def session(columns: int = 0) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of :func:`connect_for`, ended with the block."""
    connection = connect_for(columns)
    try:
        yield connection
    finally:
        end(connection)


class Kept:
    """An in-memory instance of which each process has one, opened when it is asked for and kept open.

    Args:
        opened: opens it.
    """

    def __init__(self, opened: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._opened = opened
        self._guard = threading.Lock()
        self._by_process: dict[int, duckdb.DuckDBPyConnection] = {}  # a forked child must not use its parent's threads

    @property
    def is_open(self) -> bool:
        """Whether this process has it."""
        return os.getpid() in self._by_process

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the instance.

        Raises:
            FatalError: DuckDB had an internal error, and cannot be opened again; or an extension is not installed.
            duckdb.Error: DuckDB cannot be opened.
        """
        import duckdb

        with self._guard:
            process = os.getpid()
            for _ in range(2):
                if process not in self._by_process:
                    self._by_process[process] = self._opened()
                try:
                    return sibling(self._by_process[process])
                except duckdb.FatalException:  # DuckDB closes an instance for good after an internal error
                    del self._by_process[process]
        msg = "The embedded DuckDB cannot be opened again after an internal error. Start the process anew."
        raise FatalError(msg)


def lend(instance: Kept) -> None:
    """Let :func:`at_hand` use this instance."""
    _lent.append(instance)


def at_hand() -> duckdb.DuckDBPyConnection:
    """A connection to an in-memory instance that is open already, else as :func:`connect`.

    For a query over a few rows, which any will do for: to open one costs a run with nothing new a fortieth of its time.
    """
    return next((instance for instance in (_shared, *_lent) if instance.is_open), _shared).connection()


def end(connection: duckdb.DuckDBPyConnection) -> None:
    """Close a connection; one that is closed already is fine.

    Ctrl-C takes the caller out of a query, while DuckDB's threads go on with it:
    they are stopped first, for closing would wait until they have finished it.
    """
    import duckdb

    with contextlib.suppress(duckdb.ConnectionException):
        connection.interrupt()
    connection.close()


def _open(
    path: Path | str | None,
    *,
    read_only: bool = False,
    extensions: Sequence[str] = (),
    memory_limit: str | None = None,
) -> duckdb.DuckDBPyConnection:
    import duckdb

    target = ":memory:" if path is None else str(path)
    # each check of a signature hashes some forty megabytes; see decision 0016
    config: dict[str, str | bool | int | float | list[str]] = {"allow_unsigned_extensions": True} if extensions else {}
    connection = duckdb.connect(target, read_only=read_only, config=config)
    connection.execute("set autoinstall_known_extensions=false; set autoload_known_extensions=false")
    if path is None:
        limit = memory_limit or os.environ.get("PIPELINES_DUCKDB_MEMORY", DEFAULT_MEMORY)
        connection.execute(f"set memory_limit={literal(limit)}")
        connection.execute(f"set temp_directory={literal(str(spill_folder()))}")
    for extension in ("icu", *extensions):
        connection.execute(f"load {literal(str(extension_file(extension)))}")
    if extensions:
        connection.execute("set allow_unsigned_extensions=false")  # for good: DuckDB does not let it be set back
    connection.execute(_LOCAL)
    return connection


_shared = Kept(lambda: _open(None))


def sibling(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same instance; DuckDB hands none of these settings on.

    Raises:
        duckdb.FatalException: the instance was closed after an internal error.
    """
    return connection.cursor().execute(_LOCAL)


def leave_a_core(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the instance of this connection, which others feed, use one thread less; see decision 0015."""
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    connection.execute(f"set threads={max(1, threads - 1)}")


def spill_folder() -> Path:
    """Where in-memory databases spill: one folder a process, which goes with it."""
    with _spilling:
        if os.getpid() not in _spills:
            _spills[os.getpid()] = Scratch()
        return _spills[os.getpid()].path


def extension_file(name: str) -> Path:
    """Path of a bundled extension's binary.

    Raises:
        FatalError: the wheel ``duckdb-extension-NAME`` is not installed.
    """
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        for file in Path(place).rglob("*.duckdb_extension"):
            return file
    msg = (
        f"DuckDB's extension {name!r} is not installed. "
        f"Install the wheel `duckdb-extension-{name.replace('_', '-')}` of DuckDB's own version."
    )
    raise FatalError(msg)


def interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C ended a query: DuckDB swallows the KeyboardInterrupt and raises a RuntimeError in its place."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def quote(identifier: str) -> str:
    """An identifier in double quotes, as SQL:1992 and DuckDB and PostgreSQL have it."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"
