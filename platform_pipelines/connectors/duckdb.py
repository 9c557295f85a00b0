"""DuckDB database files, as source and destination.

One file has one writing process: see ``duckdb_session`` for how others wait.
Files that DuckDB can read (CSV, Parquet, JSON) are the ``files`` connector's.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from platform_pipelines import duck
from platform_pipelines.connectors.base import Connector
from platform_pipelines.connectors.duckdb_destination import DuckDBLoad, refuse_view, table_name
from platform_pipelines.connectors.duckdb_instances import keep_blocks
from platform_pipelines.connectors.duckdb_session import check_creatable, held, reading, sweep, writing
from platform_pipelines.connectors.duckdb_source import DuckDBQuery
from platform_pipelines.model import LoadPlan, ReadPlan, Stream, StreamInfo, Window
from platform_pipelines.sql import evolve, held_rows, offsets
from platform_pipelines.sql.queries import OPTIONS, narrowed
from platform_pipelines.sql.script import run_load
from platform_pipelines.sql.tables import OFFSETS, target_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Feed, Load, Mode, Offset, Page, Receipt, TimeSlice, ValueSlice
    from platform_pipelines.sql.totals import Totals


class DuckDBConnector(Connector):
    """A DuckDB database file.

    Attributes:
        path: the file; a destination creates it and its folder.
    """

    paths: ClassVar[frozenset[str]] = frozenset({"path"})
    modes: ClassVar[frozenset[Mode]] = frozenset({"append", "merge", "update", "replace", "delete"})
    single_writer: ClassVar[bool] = True
    source_options: ClassVar[frozenset[str]] = OPTIONS

    type: Literal["duckdb"] = "duckdb"
    path: Path

    @classmethod
    def table_problem(cls, table: str, config: Mapping[str, Any]) -> str | None:  # noqa: ARG003 - any will do
        """See :func:`sql.tables.target_problem`."""
        return target_problem(table)

    def held(self) -> AbstractContextManager[None]:
        """Keep the file open over several loads; see :func:`duckdb_session.held`."""
        return held(self.path)

    def check(self) -> None:
        """Open the file, or see that it could be created; nothing is created yet.

        Raises:
            ConnectError: it is no database, is in use for too long, or its folder cannot be written.
        """
        if not self.path.exists():
            check_creatable(self.path)
            return
        with reading(self.path) as connection:
            connection.execute("select 1")

    def streams(self) -> list[StreamInfo]:
        """Tables and views, sorted by name."""
        with reading(self.path) as connection:
            found = connection.execute(_STREAMS, [OFFSETS]).fetchall()
            return [
                StreamInfo(name, DuckDBQuery(connection, Stream(name)).schema(), tuple(key or ()), rows)
                for name, key, rows in found
            ]

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401, ARG002 - the contract's
        """Read the rows of a window, of one snapshot; see :meth:`Source.read`."""
        with reading(self.path) as connection:
            yield from DuckDBQuery(connection, stream).pages(window)

    def read_keys(self, stream: Stream, window: Window, fields: tuple[str, ...]) -> Iterator[Page]:
        """Read some columns only; see :class:`platform_pipelines.connectors.base.KeyReader`."""
        return self.read(narrowed(stream, fields), window, None)

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The query that a read would run."""
        with reading(self.path) as connection:
            query = DuckDBQuery(connection, stream)
            return ReadPlan(query.sql(window), window.high, query.estimated_rows())

    def partition_cursors(
        self, stream: Stream, window: Window, slices: dict[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows."""
        with reading(self.path) as connection:
            return DuckDBQuery(connection, stream).partition_cursors(window, slices)

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them."""
        with reading(self.path) as connection:
            return DuckDBQuery(connection, stream).totals(window, sums, f"table {stream.name} of {self.path.name}")

    def holds(self, table: str, columns: Sequence[str], but: Feed | None) -> Iterator[pa.RecordBatch]:
        """The rows of a table, without those that a feed brought."""
        if not self.path.exists():
            return
        with reading(self.path) as connection:
            name = table_name(connection, table)
            options = held_rows.options(DuckDBLoad(connection).columns(name) or (), columns, but)
            if options is not None:
                for page in DuckDBQuery(connection, Stream(table, options)).pages(Window()):
                    yield from page.batches

    def offset(self, feed: Feed, table: str) -> Offset | None:
        """The last batch of ``feed`` that ``table`` holds."""
        if not self.path.exists():
            return None
        with reading(self.path) as connection:
            name = table_name(connection, table)
            database = DuckDBLoad(connection)
            if database.columns(name.offsets) is None or database.columns(name) is None:
                return None
            return offsets.read(database.query(offsets.select(name, feed)))

    def offsets(self, pipeline: str, table: str) -> dict[str, Offset]:
        """The last batch of each feed of ``pipeline`` that ``table`` holds."""
        if not self.path.exists():
            return {}
        with reading(self.path) as connection:
            name = table_name(connection, table)
            database = DuckDBLoad(connection)
            if database.columns(name.offsets) is None or database.columns(name) is None:
                return {}
            return offsets.read_all(database.query(offsets.select_all(name, pipeline)))

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Write rows and offset in one transaction; see :meth:`Destination.load`."""
        with writing(self.path) as connection:
            name = table_name(connection, load.table)
            refuse_view(connection, name)
            database = DuckDBLoad(connection, partial(keep_blocks, self.path, connection))
            connection.execute("begin")
            try:
                receipt = run_load(database, name, load, batches)
                database.commit(load.table)
            except BaseException:
                connection.interrupt()  # what Ctrl-C left running in DuckDB's threads; the rollback would wait for it
                with contextlib.suppress(Exception):  # a failed commit has rolled back already
                    connection.execute("rollback")
                raise
            return receipt

    def tidy(self, table: str) -> None:  # noqa: ARG002 - the contract's signature
        """Remove what a killed process left beside the file."""
        sweep(self.path)

    def plan_load(self, load: Load) -> LoadPlan:
        """The schema changes that :meth:`load` would make."""
        with contextlib.ExitStack() as stack:
            opened = reading(self.path) if self.path.exists() else duck.session()
            connection = stack.enter_context(opened)
            name, database = table_name(connection, load.table), DuckDBLoad(connection)
            return evolve.statements(name, evolve.changes(database.columns(name), load, database), load, database)


_STREAMS = """
select t.schema_name || '.' || t.table_name as name, c.constraint_column_names, t.estimated_size
from (
    select schema_name, table_name, estimated_size from duckdb_tables() where database_name = current_database()
    union all
    select schema_name, view_name, null from duckdb_views() where database_name = current_database() and not internal
) as t
left join duckdb_constraints() as c
    on c.schema_name = t.schema_name and c.table_name = t.table_name and c.constraint_type = 'PRIMARY KEY'
where t.table_name <> ?
order by 1
"""
