"""The DuckDB instance that reads from and encodes for PostgreSQL: one for each process.

Loading the extension costs some tenths of a second, a further connection to the
instance next to nothing. It works in the threads of its callers alone: what it does
is to wait for a server and to follow one stream, and while a thread of its own did
that, the caller's would ask it without a pause whether it is done. Each connection
has its own transactions and temporary relations; attached databases are shared, so
each read attaches under a name of its own.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.connectors.postgres_session import ENCODING, READER, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_instance = duck.Kept(lambda: duck.connect(extensions=["postgres_scanner"], threads=1))
duck.lend(_instance)
_numbers = itertools.count(1)


@contextlib.contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own to this process's instance."""
    connection = _instance.connection()
    try:
        yield connection
    finally:
        duck.end(connection)


def warm() -> None:
    """Open this process's instance.

    Raises:
        FatalError: the extension's wheel is not installed.
        duckdb.Error: DuckDB cannot be opened.
    """
    with engine():
        pass


@contextlib.contextmanager
def attached(dsn: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection with a PostgreSQL database attached, inside a read-only transaction under our settings.

    Args:
        dsn: libpq connection string or URI.

    Yields:
        The connection, and the name under which the database is attached.
    """
    from psycopg.conninfo import make_conninfo

    name = f"pg_{next(_numbers)}"
    conninfo = duck.literal(make_conninfo(dsn, application_name=READER, client_encoding=ENCODING))
    with engine() as keeper:
        keeper.execute(f"attach {conninfo} as {name} (type postgres)")
        try:
            with engine() as connection:
                connection.execute("begin")
                settings = "; ".join(("set transaction read only", *SETTINGS))  # in one message
                connection.execute(f"call postgres_execute('{name}', {duck.literal(settings)})")
                yield connection, name
        finally:
            keeper.execute(f"detach {name}")
