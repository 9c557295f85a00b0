"""Rows into PostgreSQL by binary COPY, inside a transaction that psycopg holds.

DuckDB encodes the rows into a pipe, psycopg passes the bytes on; so the copy
belongs to the same transaction as everything else, and PostgreSQL's errors keep
their class. The measured speed is that of DuckDB's own writer.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from platform_pipelines.sql.arrivals import null_byte_error

if TYPE_CHECKING:
    import duckdb
    import psycopg

    from platform_pipelines.sql.arrivals import Arrivals

_CHUNK = 1 << 20


class _Encoder(threading.Thread):
    """Writes a query's rows in PostgreSQL's binary format into a pipe, and keeps what went wrong."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str, target: int) -> None:
        super().__init__(name="postgres-copy", daemon=True)
        self._connection = connection
        self._query = query
        self._target = target
        self.error: BaseException | None = None

    def run(self) -> None:
        """Encode until the rows end or the reader is gone."""
        try:
            self._connection.execute(f"copy ({self._query}) to '/dev/fd/{self._target}' (format postgres_binary)")
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.error = error
        finally:
            os.close(self._target)


def copy_rows(
    transaction: psycopg.Connection, statement: str, encoder: duckdb.DuckDBPyConnection, query: str
) -> tuple[int, int]:
    """Run ``COPY … FROM STDIN (FORMAT binary)`` with the rows of a DuckDB query.

    Args:
        transaction: inside the transaction that the rows belong to.
        statement: the COPY statement.
        encoder: DuckDB connection with the postgres_scanner extension; not used meanwhile by anyone else.
        query: DuckDB query whose columns have the types of the target's columns.

    Returns:
        Rows and bytes that were copied.

    Raises:
        psycopg.Error: PostgreSQL refuses the rows.
        Exception: what DuckDB or the Arrow reader raised.
    """
    source, target = os.pipe()
    thread = _Encoder(encoder, query, target)
    thread.start()
    size = 0
    try:
        with transaction.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                while chunk := os.read(source, _CHUNK):
                    copy.write(chunk)
                    size += len(chunk)
                thread.join()
                if thread.error is not None:
                    raise thread.error
            return cursor.rowcount, size
    finally:
        os.close(source)  # an encoder that still writes fails at once
        thread.join()


def original_error(error: BaseException, arrivals: Arrivals, table: str) -> BaseException:
    """What a person should see: the Arrow reader's own exception, or what is wrong with which column."""
    arrivals.raise_original()
    if "NULL-byte" in str(error):
        return null_byte_error(arrivals, table, "PostgreSQL")
    return error
