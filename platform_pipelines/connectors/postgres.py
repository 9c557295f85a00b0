"""PostgreSQL, as source and destination.

Values keep their exact form, see ``postgres_columns``; incremental reads never
pass an open transaction, see ``postgres_window``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, SecretStr

from platform_pipelines import durable
from platform_pipelines.connectors import postgres_source as source
from platform_pipelines.connectors.base import Connector
from platform_pipelines.connectors.postgres_columns import classify
from platform_pipelines.connectors.postgres_engine import engine
from platform_pipelines.connectors.postgres_engine import warm as warm_engine
from platform_pipelines.connectors.postgres_partitions import partition_cursors
from platform_pipelines.connectors.postgres_session import READER, WRITER, session
from platform_pipelines.connectors.postgres_window import blind_spots
from platform_pipelines.model import LoadPlan, ReadPlan, Stream, StreamInfo, Window
from platform_pipelines.sql import held_rows, offsets
from platform_pipelines.sql.duckdb_errors import refused
from platform_pipelines.sql.queries import OPTIONS, narrowed
from platform_pipelines.sql.tables import TableName, target_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import psycopg
    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Feed, Load, Mode, Offset, Page, Receipt, TimeSlice, ValueSlice
    from platform_pipelines.sql.totals import Totals


class PostgresConnector(Connector):
    """A PostgreSQL database.

    Attributes:
        dsn: libpq connection string or URI.
        default_schema: schema of tables and streams that name none (``schema`` in YAML).
    """

    model_config = ConfigDict(populate_by_name=True)

    modes: ClassVar[frozenset[Mode]] = frozenset({"append", "merge", "update", "replace", "delete"})
    source_options: ClassVar[frozenset[str]] = OPTIONS

    type: Literal["postgres"] = "postgres"
    dsn: SecretStr
    default_schema: str = Field(default="public", alias="schema")

    @classmethod
    def table_problem(cls, table: str, config: Mapping[str, Any]) -> str | None:  # noqa: ARG003 - any will do
        """See :func:`sql.tables.target_problem`."""
        return target_problem(table)

    @classmethod
    def warm(cls) -> None:
        """Open the DuckDB instance that reads from and encodes for PostgreSQL."""
        warm_engine()

    def check(self) -> None:
        """Connect and ask for nothing.

        Raises:
            ConnectError: the server cannot be reached or refuses the credentials.
        """
        with self._session(READER) as connection:
            connection.execute("select 1")

    def blind_spots(self) -> list[str]:
        """Which open transactions a read cannot see; see :class:`platform_pipelines.connectors.base.Sighted`."""
        with self._session(READER) as connection:
            return blind_spots(connection)

    def streams(self) -> list[StreamInfo]:
        """Tables and views that may be read, sorted by name."""
        with self._session(READER) as connection:
            found = source.catalog(connection)
            names = [name for row in found for name in row[4]]
            types = [pair for row in found for pair in zip(row[5], row[6], strict=True)]
            columns = iter(classify(connection, names, types, [count for row in found for count in row[7]]))
        return [
            StreamInfo(
                f"{row[0]}.{row[1]}", source.arrow_schema([next(columns) for _ in row[4]]), tuple(row[3] or ()), row[2]
            )
            for row in found
        ]

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401, ARG002 - the contract's
        """Read the rows of a window, of one snapshot; see :meth:`Source.read`."""
        with self._session(READER) as connection:
            bounded = source.fixed_window(connection, stream, window, self.default_schema)
            with connection.transaction():  # keeps the tables from being altered meanwhile
                query = source.PostgresQuery(connection, stream, self.default_schema)
                yield from source.pages(self._dsn, query, bounded)

    def read_keys(self, stream: Stream, window: Window, fields: tuple[str, ...]) -> Iterator[Page]:
        """Read some columns only; see :class:`platform_pipelines.connectors.base.KeyReader`."""
        return self.read(narrowed(stream, fields), window, None)

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The query that a read would run now."""
        with self._session(READER) as connection:
            bounded = source.fixed_window(connection, stream, window, self.default_schema)
            query = source.PostgresQuery(connection, stream, self.default_schema)
            return ReadPlan(query.sql(bounded), bounded.high, query.estimated_rows(bounded))

    def partition_cursors(
        self, stream: Stream, window: Window, slices: dict[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows."""
        with self._session(READER) as connection:
            query = source.PostgresQuery(connection, stream, self.default_schema)
            return partition_cursors(connection, query, window, slices)

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them."""
        with self._session(READER) as connection:
            return source.PostgresQuery(connection, stream, self.default_schema).totals(window, sums)

    def holds(self, table: str, columns: Sequence[str], but: Feed | None) -> Iterator[pa.RecordBatch]:
        """The rows of a table, without those that a feed brought."""
        name = TableName.parse(table, self.default_schema)
        with self._session(READER) as connection:
            options = held_rows.options(source.column_names(connection, name), columns, but)
        if options is not None:
            for page in self.read(Stream(table, options), Window(), None):
                yield from page.batches

    def offset(self, feed: Feed, table: str) -> Offset | None:
        """The last batch of ``feed`` that ``table`` holds."""
        name = TableName.parse(table, self.default_schema)
        with self._session(WRITER) as connection:
            if not _exist(connection, name, name.offsets):
                return None
            return offsets.read(connection.execute(offsets.select(name, feed).encode()).fetchall())

    def offsets(self, pipeline: str, table: str) -> dict[str, Offset]:
        """The last batch of each feed of ``pipeline`` that ``table`` holds."""
        name = TableName.parse(table, self.default_schema)
        with self._session(WRITER) as connection:
            if not _exist(connection, name, name.offsets):
                return {}
            return offsets.read_all(connection.execute(offsets.select_all(name, pipeline).encode()).fetchall())

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Write rows and offset in one transaction; see :meth:`Destination.load`."""
        # a run that finds nothing new does without all of it
        from platform_pipelines.connectors.postgres_destination import PostgresLoad, conflicts_named
        from platform_pipelines.sql.script import run_load

        name = TableName.parse(load.table, self.default_schema)
        with contextlib.ExitStack() as stack:
            encoder = stack.enter_context(engine())
            connection = stack.enter_context(self._session(WRITER))
            stack.enter_context(refused(f"Rows do not fit into {load.table}"))
            stack.enter_context(conflicts_named(load))
            with durable.committing(connection.transaction(), load.table):
                return run_load(PostgresLoad(connection, load, encoder), name, load, batches)

    def plan_load(self, load: Load) -> LoadPlan:
        """The schema changes that :meth:`load` would make."""
        from platform_pipelines.connectors.postgres_destination import PostgresLoad
        from platform_pipelines.sql import evolve

        name = TableName.parse(load.table, self.default_schema)
        with self._session(WRITER) as connection:
            database = PostgresLoad(connection, load)
            plan = evolve.statements(name, evolve.changes(database.columns(name), load, database), load, database)
            rekeyed = database.rekeyed(name)
            return LoadPlan(plan.ddl, (*plan.destructive, *([rekeyed] if rekeyed else [])))

    @property
    def _dsn(self) -> str:
        return self.dsn.get_secret_value()

    def _session(self, application: str) -> contextlib.AbstractContextManager[psycopg.Connection]:
        return session(self._dsn, application)


def _exist(connection: psycopg.Connection, *tables: TableName) -> bool:
    """Whether all of the tables are there."""
    found = connection.execute("select to_regclass(t) from unnest(%s::text[]) as t", [[t.sql for t in tables]])
    return all(row != (None,) for row in found.fetchall())
