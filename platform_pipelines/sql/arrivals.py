"""Arriving rows as a relation that DuckDB can select from.

They are read from the landed Parquet files where those say the same as the
Arrow batches, else from the batches, brought into types that DuckDB keeps.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.rowsql import selected
from platform_pipelines.sql.arrow_types import in_schema, parquet_safe, plain_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from platform_pipelines.model import Load

_RELATION = "_pipelines_arrivals"
_KEPT_BATCHES = 8
_GLOB = frozenset("*?[")


class Arrivals:
    """The rows of one load on one DuckDB connection.

    An exception inside an Arrow reader loses its type on its way through
    DuckDB; it is kept here, see :meth:`raise_original`.

    Args:
        connection: where the rows become a relation.
        load: what is loaded.
        batches: its rows; consumed only if its files cannot be used.
        nanoseconds: whether the destination keeps nanoseconds.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, load: Load, batches: pa.RecordBatchReader, *, nanoseconds: bool
    ) -> None:
        self._connection = connection
        self._error: BaseException | None = None
        self._recent: deque[pa.RecordBatch] = deque(maxlen=_KEPT_BATCHES)
        self._schema = plain_schema(load.schema, nanoseconds=nanoseconds)
        self.bytes = 0
        self.repeatable = _readable(load) and self._schema == load.schema and parquet_safe(load.schema)
        if self.repeatable:
            self.bytes = load.stored.bytes
            self.sql = selected(load.stored)
        else:
            self._register(batches)
            self.sql = _RELATION

    def raise_original(self) -> None:
        """Raise what the Arrow reader raised, if it did."""
        if self._error is not None:
            raise self._error

    def columns_with_null_byte(self) -> list[str]:
        """Text columns in which a NUL byte was seen lately (all rows are looked at if they can be read again)."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        texts = [f.name for f in self._schema if t.is_string(f.type) or t.is_large_string(f.type)]
        if self.repeatable:
            return [name for name in texts if self._connection.execute(self._null_byte_query(name)).fetchone()]
        return [
            name
            for name in texts
            if any(pc.any(pc.match_substring(b.column(name).cast(pa.string()), "\x00")).as_py() for b in self._recent)
        ]

    def _null_byte_query(self, name: str) -> str:
        from platform_pipelines.duck import quote

        return f"select 1 from {self.sql} where contains({quote(name)}, chr(0)) limit 1"

    def _register(self, batches: pa.RecordBatchReader) -> None:
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_batches(self._schema, self._watched(batches))
        self._connection.register(_RELATION, reader)

    def _watched(self, batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            for batch in in_schema(batches, self._schema):
                self.bytes += batch.nbytes
                self._recent.append(batch)
                yield batch
        except BaseException as error:
            self._error = error
            raise


def _readable(load: Load) -> bool:
    """Whether the load's files can be named in SQL: DuckDB has no escape for glob characters."""
    stored = load.stored
    named = [*stored.paths, *(each.path for each in stored.left_out)]
    return bool(stored.paths) and not any(_GLOB & set(str(path)) for path in named)


def null_byte_error(arrivals: Arrivals, table: str, system: str) -> InvalidData:
    """The error for text that a system cannot hold because of a NUL byte."""
    names = ", ".join(repr(name) for name in arrivals.columns_with_null_byte()) or "of a nested column"
    msg = (
        f"Text in column {names} holds a NUL byte (\\x00), which {system} cannot store; {table} is as it was. "
        "Remove it in a transform, such as `sql: select * replace (replace(NAME, chr(0), '') as NAME) from input`."
    )
    return InvalidData(msg)
