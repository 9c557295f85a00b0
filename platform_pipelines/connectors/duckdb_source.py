"""Reading a DuckDB database: one snapshot, streamed as Arrow record batches.

The file is open while its rows are read, so that they are of one snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.slices import partition_cursors
from platform_pipelines.formats.totals import totals
from platform_pipelines.model import Page, Window
from platform_pipelines.sql import duckdb_types
from platform_pipelines.sql.arrow_types import PG_TYPE
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.duckdb_carried import expression, types_of
from platform_pipelines.sql.predicates import family_of
from platform_pipelines.sql.queries import Relation, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Stream, TimeSlice, ValueSlice
    from platform_pipelines.sql.dialect import Family
    from platform_pipelines.sql.totals import Totals
    from platform_pipelines.sql.types import ColumnType

BATCH_ROWS = 65_536

#: types that travel as text, and the PostgreSQL type that says so
_AS_TEXT = {"uuid": "uuid", "json": "json", "interval": "interval"}


class DuckDBQuery:
    """A stream of a DuckDB database, looked at on an open connection.

    Args:
        connection: open connection.
        stream: what to read.

    Raises:
        InvalidData: there is no such table or column.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, stream: Stream) -> None:
        import duckdb

        self._connection = connection
        self._relation = self._within(Relation.of(stream, "main"))
        try:
            described = connection.execute(f"describe select * from {self._relation.sql}").fetchall()
        except duckdb.CatalogException as error:
            msg = f"Stream {stream.name!r} does not exist in the database: {str(error).splitlines()[0]}"
            raise InvalidData(msg) from error
        self._types: dict[str, ColumnType] = {row[0]: duckdb_types.parse(row[1]) for row in described}
        self._carried = types_of(connection, f"select * from {self._relation.sql}")
        self._relation.check_columns(list(self._types), stream.name)

    def _within(self, relation: Relation) -> Relation:
        if relation.table is None:
            return relation
        catalog = self._connection.execute("select current_database()").fetchall()[0][0]
        table = relation.table.within(str(catalog))
        return replace(relation, table=table, sql=table.sql)

    @property
    def _families(self) -> dict[str, Family]:
        return {name: family_of(kind) for name, kind in self._types.items()}

    def sql(self, window: Window) -> str:
        """The query for the rows of a window."""
        expressions = [named(self._expression(n), n) for n in self._types if self._relation.wants(n)]
        return self._relation.select(expressions, window, self._families, DUCKDB)

    def _expression(self, name: str) -> str:
        """How a column is read; what DuckDB alone has a word for is text, as are PostgreSQL's types of that kind."""
        kind, carried = self._types[name], expression(name, self._carried[name])
        as_text = kind.family in {*_AS_TEXT, "other"} and carried == quote(name)
        return f"cast({carried} as varchar)" if as_text else carried

    def schema(self) -> pa.Schema:
        """The Arrow schema of the stream."""
        reader = self._connection.execute(f"{self.sql(Window())} limit 0").to_arrow_reader()
        return self._with_types(reader.schema)

    def pages(self, window: Window) -> Iterator[Page]:
        """The rows of a window."""
        import pyarrow as pa

        reader = self._connection.execute(self.sql(window)).to_arrow_reader(BATCH_ROWS)
        schema = self._with_types(reader.schema)
        empty = True
        for batch in reader:
            empty = False
            yield Page((pa.RecordBatch.from_arrays(batch.columns, schema=schema),))
        if empty:  # the columns are known all the same
            yield Page((pa.RecordBatch.from_arrays([pa.array([], each.type) for each in schema], schema=schema),))

    def estimated_rows(self) -> int | None:
        """Rows of the table, if it is one."""
        table = self._relation.table
        found = (
            table
            and self._connection.execute(
                "select estimated_size from duckdb_tables() "
                "where database_name = current_database() and schema_name = ? and table_name = ?",
                [table.schema, table.name],
            ).fetchone()
        )
        return int(found[0]) if found else None

    def partition_cursors(
        self, window: Window, slices: Mapping[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows."""
        return partition_cursors(self._connection, self._relation.filtered, self._families, window, slices)

    def totals(self, window: Window, sums: Sequence[str], place: str) -> Totals:
        """Rows within a window, and sums over them."""
        return totals(self._connection, self._relation.filtered, self._families, window, sums, place=place)

    def _with_types(self, schema: pa.Schema) -> pa.Schema:
        import pyarrow as pa

        def typed(field: pa.Field[Any]) -> pa.Field[Any]:
            name = _AS_TEXT.get(self._types[field.name].family)
            return field.with_metadata({PG_TYPE: name.encode()}) if name else field

        return pa.schema([typed(field) for field in schema])
