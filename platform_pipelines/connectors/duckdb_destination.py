"""Loads into a DuckDB file: each step of the load script in DuckDB's words.

The order of steps is left to ``sql.script``. DuckDB refuses to change rows of a
table that the same transaction has altered; therefore columns are added and
widened in a transaction of their own just before. Until the rows follow,
readers see the new columns empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines import durable
from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.sql import duckdb_types, offsets
from platform_pipelines.sql.arrivals import Arrivals
from platform_pipelines.sql.columnnames import check_beside, check_names
from platform_pipelines.sql.script import STAGE
from platform_pipelines.sql.statements import Statements
from platform_pipelines.sql.tables import TableName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb
    import pyarrow as pa

    from platform_pipelines.model import Load, LoadPlan
    from platform_pipelines.sql.evolve import Changes, Column
    from platform_pipelines.sql.types import ColumnType

DEFAULT_SCHEMA = "main"


class DuckDBLoad:
    """One load's transaction on a DuckDB connection; see :class:`platform_pipelines.sql.script.Database`.

    Args:
        connection: to the file.
        before_commit: called before each commit.
    """

    byte_order = ""
    #: the range of the stage's keys is pushed into the target's scan by inner joins, not by anti joins
    narrowed = True

    def __init__(self, connection: duckdb.DuckDBPyConnection, before_commit: Callable[[], None] = lambda: None) -> None:
        self._connection = connection
        self._before_commit = before_commit
        self._arrivals: Arrivals | None = None

    def execute(self, sql: str) -> int:
        """Run a statement; rows it wrote."""
        try:
            with durable.effect("sql", sql):
                row = self._connection.execute(sql).fetchone()
        except Exception:
            if self._arrivals is not None:
                self._arrivals.raise_original()
            raise
        return int(row[0]) if row else 0

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query; its rows."""
        with durable.effect("query", sql):
            return self._connection.execute(sql).fetchall()

    def incoming(self, field: pa.Field[Any]) -> ColumnType:
        """The type that a new column for ``field`` gets."""
        return duckdb_types.incoming(field)

    def render(self, column: ColumnType) -> str:
        """The type in DuckDB's SQL."""
        return duckdb_types.render(column)

    def holds(self, column: ColumnType) -> bool:
        """Whether DuckDB has the type: no decimal of it has more than 38 digits."""
        return duckdb_types.holds(column)

    def prepare(self, table: TableName) -> None:
        """Make the schema and its table of offsets; the file's lock serializes loads."""
        self.execute(f"create schema if not exists {table.schema_sql}")
        if self.columns(table.offsets) is None:
            self.execute(offsets.create(table))

    def columns(self, table: TableName) -> dict[str, ColumnType] | None:
        """The table's columns; None if there is no such table."""
        found = self._connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = current_database() and schema_name = ? and table_name = ? order by column_index",
            [table.schema, table.name],
        ).fetchall()
        return {name: duckdb_types.parse(text) for name, text in found} or None

    def check(self, table: TableName, have: Mapping[str, ColumnType] | None, found: Changes) -> None:
        """See that DuckDB can tell the columns apart.

        Raises:
            InvalidData: two would differ in case alone, or one has no name.
        """
        names = [column.name for column in found.columns]
        check_names(names)
        check_beside(names, tuple(have or ()), table.text)

    def evolve(self, table: TableName, plan: LoadPlan, found: Changes) -> None:
        """Make the changes: additions before the transaction of the rows, losses inside of it."""
        if found.create:
            self.execute(plan.ddl[0])
            return
        if plan.ddl:
            self._commit_and_go_on(table)
            for statement in plan.ddl:
                self.execute(statement)
            self._commit_and_go_on(table)
        if found.recreate:
            self._recreate(table, found)

    def commit(self, table: str) -> None:
        """Commit; the table is named to whoever watches."""
        self._before_commit()
        with durable.effect("commit", table):
            self._connection.execute("commit")

    def _commit_and_go_on(self, table: TableName) -> None:
        self.commit(table.text)
        self._connection.execute("begin")

    def _recreate(self, table: TableName, found: Changes) -> None:
        emptied = {c.name: f"cast(null as {self.render(c.target)}) as {quote(c.name)}" for c in found.recreate}
        columns = [emptied.get(name, quote(name)) for name in self.columns(table) or {}]
        self.execute(f"create or replace table {table.sql} as select {', '.join(columns)} from {table.sql}")

    def direct(self, table: TableName, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int | None:
        """Insert straight from the arriving rows."""
        values = {c.name: self.value(c) for c in found.columns}
        relation = self._arrive(load, batches)
        return self.execute(Statements(table, relation, load, values, {}, found.feed).insert_all())

    def stage(self, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int:
        """A view on the files where there are any, else a temporary table."""
        relation = self._arrive(load, batches)
        columns = ", ".join(quote(c.name) for c in found.columns)
        if self._arrivals is not None and self._arrivals.repeatable:
            self.execute(f"create or replace temp view {STAGE} as select {columns} from {relation}")
        else:
            self.execute(f"create or replace temp table {STAGE} as select {columns} from {relation}")
        return int(self.query(f"select count(*) from {STAGE}")[0][0])

    def _arrive(self, load: Load, batches: pa.RecordBatchReader) -> str:
        self._arrivals = Arrivals(self._connection, load, batches, nanoseconds=True)
        return self._arrivals.sql

    def value(self, column: Column) -> str:
        """The staged column in the type of the target."""
        name = f"s.{quote(column.name)}"
        target = self.render(column.target)
        if column.target.family == "json" and column.incoming.family in {"list", "struct", "map"}:
            return f"to_json({name})"
        return f"cast({name} as {target})"

    def merges(self, table: TableName) -> bool:  # noqa: ARG002 - the script's signature
        """It knows the statement, and is no faster by it."""
        return False

    def seal(self, table: TableName, load: Load) -> None:
        """Nothing: DuckDB merges by hashing, an index would only slow it down."""

    def written(self) -> int:
        """Bytes of the files, or of the Arrow buffers, that were read."""
        return self._arrivals.bytes if self._arrivals else 0


def table_name(connection: duckdb.DuckDBPyConnection, text: str) -> TableName:
    """The table of the opened file that ``text`` names."""
    catalog = connection.execute("select current_database()").fetchall()[0][0]
    return TableName.parse(text, DEFAULT_SCHEMA).within(str(catalog))


def refuse_view(connection: duckdb.DuckDBPyConnection, table: TableName) -> None:
    """Refuse to load into a view.

    Raises:
        InvalidData: the target is a view.
    """
    found = connection.execute(
        "select 1 from duckdb_views() where schema_name = ? and view_name = ?", [table.schema, table.name]
    ).fetchone()
    if found:
        msg = f"{table.text} is a view; rows can be loaded into tables only. Choose another `table`."
        raise InvalidData(msg)
