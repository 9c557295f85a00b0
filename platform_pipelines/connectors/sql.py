"""Any database that SQLAlchemy reaches, as a source.

Statements are left to ``sql_statement``, types and values to ``sql_values``.
PostgreSQL and DuckDB have connectors of their own, which are faster.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, SecretStr

from platform_pipelines import duck
from platform_pipelines.connectors.base import Connector
from platform_pipelines.connectors.sql_session import as_errors, make_engine
from platform_pipelines.connectors.sql_statement import Reading, prepare
from platform_pipelines.connectors.sql_values import Values, schema_of
from platform_pipelines.formats.slices import partition_cursors
from platform_pipelines.formats.totals import totals
from platform_pipelines.model import Page, ReadPlan, StreamInfo
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import families, window_sql
from platform_pipelines.sql.queries import OPTIONS, narrowed
from platform_pipelines.sql.totals import Totals, check_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy import Engine, Inspector

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Stream, TimeSlice, ValueSlice, Window

_PAGE_ROWS = 10_000


def _is_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if "://" not in text and not text.startswith("$"):
        msg = "this is not a SQLAlchemy URL. Write it like dialect+driver://user:password@host/database"
        raise ValueError(msg)
    return url


class SqlConnector(Connector):
    """A database by its SQLAlchemy URL.

    Attributes:
        url: such as ``sqlite:////data/app.db`` or ``mysql+pymysql://user:password@host/db``.
    """

    source_options: ClassVar[frozenset[str]] = OPTIONS

    type: Literal["sql"] = "sql"
    url: Annotated[SecretStr, AfterValidator(_is_url)]

    def check(self) -> None:
        """Connect and ask for nothing."""
        with self._engine() as engine, engine.connect():
            pass

    def streams(self) -> list[StreamInfo]:
        """Tables and views of all schemas but the system's, by name."""
        from sqlalchemy import inspect

        with self._engine() as engine:
            inspector = inspect(engine)
            found = [_info(inspector, schema, name) for schema, name in _relations(inspector)]
        return sorted(found, key=lambda info: info.name)

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401, ARG002 - the contract
        """Read a table or query in chunks, without holding it in memory where the driver can stream."""
        with self._engine() as engine:
            reading = prepare(engine, stream, window)
            yield from _pages(engine, reading, window)

    def read_keys(self, stream: Stream, window: Window, fields: tuple[str, ...]) -> Iterator[Page]:
        """Read some columns only; see :class:`platform_pipelines.connectors.base.KeyReader`."""
        return self.read(narrowed(stream, fields), window, None)

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The statement that :meth:`read` would run now."""
        with self._engine() as engine:
            reading = prepare(engine, stream, window)
            compiled = reading.statement.compile(engine, compile_kwargs={"literal_binds": True})
        note = (
            "" if reading.bounded else f" -- then, row by row: {window_sql(window, families(reading.schema), DUCKDB)}"
        )
        return ReadPlan(f"{compiled}{note}")

    def partition_cursors(
        self, stream: Stream, window: Window, slices: Mapping[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows, from one read of the columns concerned."""
        import pyarrow as pa

        fields = {window.field, *(s.field for s in slices.values())} - {None}
        with self._engine() as engine:
            reading = prepare(engine, stream, window, frozenset(str(field) for field in fields))
            batches = [batch for page in _pages(engine, reading, window) for batch in page.batches]
        table = pa.Table.from_batches(batches, reading.schema)
        with duck.session() as connection:
            connection.register("stored", table)
            return partition_cursors(connection, "stored", families(table.schema), window, slices)

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them; asked of the database where it can compare the window's bounds."""
        from sqlalchemy import func

        with self._engine() as engine:
            reading = prepare(engine, stream, window, _concerned(window, sums) or None)
            known = families(reading.schema)
            if not reading.bounded or _inexact(engine, [known.get(name) for name in sums]):
                return _count_here(engine, reading, window, sums)
            for name in sums:
                check_number(name, known, f"table {stream.name}")
            columns = [func.sum(reading.statement.selected_columns[name]) for name in sums]
            statement = reading.statement.with_only_columns(func.count(), *columns)
            with engine.connect() as connection:
                return Totals.of(sums, tuple(connection.execute(statement).one()))

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = make_engine(self.url.get_secret_value())
        try:
            with as_errors(engine):
                yield engine
        finally:
            engine.dispose()


def _relations(inspector: Inspector) -> Iterator[tuple[str | None, str]]:
    default = inspector.default_schema_name
    for schema in inspector.get_schema_names():
        if schema in {"information_schema", "sys", "mysql", "performance_schema"} or schema.startswith("pg_"):
            continue
        shown = None if schema == default else schema
        for name in (*inspector.get_table_names(schema), *inspector.get_view_names(schema)):
            yield shown, name


def _info(inspector: Inspector, schema: str | None, name: str) -> StreamInfo:
    columns = inspector.get_columns(name, schema)
    key = inspector.get_pk_constraint(name, schema)["constrained_columns"]
    shown = name if schema is None else f"{schema}.{name}"
    return StreamInfo(shown, schema_of({c["name"]: c["type"] for c in columns}), tuple(key))


def _pages(engine: Engine, reading: Reading, window: Window) -> Iterator[Page]:
    import pyarrow as pa

    values = Values(reading.schema, reading.stream)
    with engine.connect() as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=_PAGE_ROWS)
        empty = True
        # closed by name: a reader that stops early would leave the server's cursor to the garbage collector
        with closing(streaming.execute(reading.statement)) as result:
            for rows in result.partitions(_PAGE_ROWS):
                batch, rejected = values.convert(rows)
                empty = False
                yield Page((batch if reading.bounded else _within(batch, window),), rejected=rejected)
    if empty:
        schema = values.schema
        yield Page((pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema),))


def _concerned(window: Window, columns: Sequence[str]) -> frozenset[str]:
    """The columns that a question about ``columns`` within a window has to do with."""
    part = window.partition.field if window.partition else None
    return frozenset(name for name in (window.field, part, *columns) if name is not None)


def _inexact(engine: Engine, families: Sequence[str | None]) -> bool:
    """Whether the database would sum decimals as floats: SQLite knows no others."""
    return engine.dialect.name == "sqlite" and "decimal" in families


def _count_here(engine: Engine, reading: Reading, window: Window, sums: Sequence[str]) -> Totals:
    """Totals of rows that the database cannot be asked to choose: they are read and chosen here."""
    import pyarrow as pa

    batches = [batch for page in _pages(engine, reading, window) for batch in page.batches]
    table = pa.Table.from_batches(batches)
    with duck.session() as connection:
        connection.register("stored", table)
        return totals(connection, "stored", families(table.schema), window, sums, place=f"table {reading.stream}")


def _within(batch: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    """The rows of the window, where the database could not be asked to compare."""
    import pyarrow as pa

    where = window_sql(window, families(batch.schema), DUCKDB)
    if not where:
        return batch
    numbered = batch.append_column("_pipelines_n", pa.array(range(batch.num_rows), pa.int64()))
    with duck.session() as connection:
        connection.register("batch", pa.Table.from_batches([numbered]))
        chosen = connection.execute(f"select _pipelines_n from batch where {where} order by 1").to_arrow_table()
    return batch.take(chosen.column(0).combine_chunks())
