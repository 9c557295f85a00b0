"""Reading PostgreSQL: one statement, one snapshot, streamed as Arrow record batches.

DuckDB's extension runs ``COPY (query) TO STDOUT`` in PostgreSQL's binary format
and decodes it; memory stays at a few batches whatever the number of rows.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.postgres_columns import ARRAY_MARK, NAN_MARK, describe
from platform_pipelines.connectors.postgres_engine import attached
from platform_pipelines.connectors.postgres_session import without_password
from platform_pipelines.connectors.postgres_window import bounded
from platform_pipelines.duck import literal
from platform_pipelines.errors import ConnectError, InvalidData, PipelinesError
from platform_pipelines.kernels import call
from platform_pipelines.model import Page, Window
from platform_pipelines.sql.dialect import POSTGRES
from platform_pipelines.sql.predicates import family_of
from platform_pipelines.sql.queries import BOOKKEEPING, Relation, named
from platform_pipelines.sql.totals import Totals, expressions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa

    from platform_pipelines.connectors.postgres_columns import SourceColumn
    from platform_pipelines.model import Stream
    from platform_pipelines.sql.dialect import Family
    from platform_pipelines.sql.tables import TableName

BATCH_ROWS = 65_536
# PostgreSQL's first timestamp, 4714-11-24 BC, in microseconds; what arrives below has overflowed
_FIRST = -210_866_803_200_000_000
_MINUS_INFINITY = -(2**63 - 1)


class PostgresQuery:
    """A stream of a PostgreSQL database, looked at on an open connection.

    Args:
        connection: open connection; while its transaction lasts, the stream's tables cannot be altered.
        stream: what to read.
        default_schema: schema of a stream that names none.
    """

    def __init__(self, connection: psycopg.Connection, stream: Stream, default_schema: str) -> None:
        self._connection = connection
        self._name = stream.name
        self.relation = Relation.of(stream, default_schema)
        self.columns = describe(connection, self.relation.sql)
        self.relation.check_columns([c.name for c in self.columns], stream.name)
        self.read = [c for c in self.columns if self.relation.wants(c.name)]

    @property
    def families(self) -> dict[str, Family]:
        """How each column compares."""
        return {c.name: family_of(c.type) if c.base else "other" for c in self.columns}

    def sql(self, window: Window) -> str:
        """The query for the rows of a window."""
        expressions = [named(c.expression, name) for c, name in zip(self.read, _apart(self.read), strict=True)]
        return self.relation.select(expressions, window, self.families, POSTGRES)

    def estimated_rows(self, window: Window) -> int | None:
        """The planner's estimate."""
        row = self._connection.execute(f"explain (format json) {self.sql(window)}".encode()).fetchone()
        return int(row[0][0]["Plan"]["Plan Rows"]) if row else None

    def totals(self, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them."""
        wanted = expressions(sums, self.families, f"stream {self._name}")
        text = self.relation.select(wanted, window, self.families, POSTGRES)
        return Totals.of(sums, self._connection.execute(text.encode()).fetchone() or (0,))


def _apart(columns: Sequence[SourceColumn]) -> list[str]:
    """Names by which DuckDB, which minds no capitals, reads the columns; :func:`pages` gives them back their own."""
    seen: set[str] = set()
    names = []
    for place, column in enumerate(columns):
        names.append(f"{BOOKKEEPING}{place}" if column.name.lower() in seen else column.name)
        seen.add(column.name.lower())
    return names


def column_names(connection: psycopg.Connection, table: TableName) -> list[str]:
    """The columns of a table, bookkeeping included; none where there is no such table."""
    if connection.execute("select to_regclass(%s)", [table.sql]).fetchone() == (None,):
        return []
    return [column.name for column in describe(connection, table.sql)]


def arrow_schema(columns: Sequence[SourceColumn]) -> pa.Schema:
    """The Arrow schema in which columns arrive."""
    import pyarrow as pa

    return pa.schema([c.field(c.arrow_type) for c in columns if not c.name.startswith(BOOKKEEPING)])


def fixed_window(connection: psycopg.Connection, stream: Stream, window: Window, default_schema: str) -> Window:
    """The window with its upper end fixed; see :func:`bounded`."""
    if window.field is None or window.high is not None:
        return window
    query = PostgresQuery(connection, stream, default_schema)
    _check_cursor(query, window.field)
    return bounded(connection, window, query.families.get(window.field))


def pages(dsn: str, query: PostgresQuery, window: Window) -> Iterator[Page]:
    """The rows of a window.

    Raises:
        InvalidData: a value has no exact form in Arrow.
        ConnectError: the connection broke.
    """
    import pyarrow as pa

    with _named_errors(dsn), attached(dsn) as (connection, name):
        remote = f"select * from postgres_query('{name}', {literal(query.sql(window))})"
        reader = connection.execute(remote).to_arrow_reader(BATCH_ROWS)
        schema = pa.schema([c.field(f.type) for c, f in zip(query.read, reader.schema, strict=True)])
        empty = True
        for batch in reader:
            empty = False
            _check_overflow(batch)
            yield Page((pa.RecordBatch.from_arrays(batch.columns, schema=schema),))
        if empty:  # the columns are known all the same
            yield Page((pa.RecordBatch.from_arrays([pa.array([], each.type) for each in schema], schema=schema),))


def _check_cursor(query: PostgresQuery, field: str) -> None:
    """Refuse cursor fields that would be compared as text though they are no text.

    Raises:
        InvalidData: naming the type and the way out.
    """
    column = next((c for c in query.columns if c.name == field), None)
    if column is None or column.native:
        return
    msg = (
        f"Cursor field {field!r} is of type {column.pg_type}, which is read as text and so has no order to follow. "
        f"Choose another cursor, or read it in a type with an order: `options: {{query: select *, {field}::…}}`."
    )
    raise InvalidData(msg)


def _check_overflow(batch: pa.RecordBatch) -> None:
    """Refuse timestamps beyond the year 294246, which overflow 64 bits since 1970.

    Raises:
        InvalidData: naming the column.
    """
    import pyarrow as pa
    import pyarrow.types as t

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not t.is_timestamp(column.type):
            continue
        numbers = column.view(pa.int64())
        below, finite = call("less", numbers, pa.scalar(_FIRST)), call("greater", numbers, pa.scalar(_MINUS_INFINITY))
        if call("any", call("and", below, finite)).as_py():
            msg = (
                f"Column {name!r} holds a timestamp after the year 294246, which Arrow cannot hold. "
                f"Read it as text: `options: {{query: select …, {name}::text as {name} from …}}`."
            )
            raise InvalidData(msg)


@contextlib.contextmanager
def _named_errors(dsn: str) -> Iterator[None]:
    import duckdb

    try:
        yield
    except PipelinesError:
        raise
    except duckdb.Error as error:
        text = without_password(str(error), dsn).strip()
        raise _classed(text) from error


def _classed(text: str) -> PipelinesError:
    if NAN_MARK in text:
        name = text.partition(f"{NAN_MARK} ")[2].partition('"')[0]
        return InvalidData(
            f"Column {name!r} holds NaN, which a decimal cannot. Read it without precision, so it travels as text: "
            f"`options: {{query: select …, {name}::numeric as {name} from …}}`."
        )
    if ARRAY_MARK in text:
        name = text.partition(f"{ARRAY_MARK} ")[2].partition('"')[0]
        return InvalidData(
            f"Column {name!r} holds an array of several dimensions, or one whose bounds do not begin at 1; neither is "
            f"a list. Declare the dimensions in its table (`alter table … alter column {name} type …[][]`), or read it "
            f"as text: `options: {{query: select …, {name}::text as {name} from …}}`."
        )
    return ConnectError(f"Reading from PostgreSQL broke off: {text}")


def catalog(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Tables and views: schema, name, estimated rows, key columns; of columns names, types, modifiers, dimensions."""
    return connection.execute(_CATALOG).fetchall()


_CATALOG = """
select n.nspname, c.relname,
    case when c.reltuples >= 0 and c.relkind <> 'v' then c.reltuples::bigint end,
    (select array_agg(a.attname::text order by k.place)
     from pg_catalog.pg_index i, unnest(i.indkey) with ordinality as k(number, place), pg_catalog.pg_attribute a
     where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.number),
    array_agg(a.attname::text order by a.attnum), array_agg(a.atttypid::bigint order by a.attnum),
    array_agg(a.atttypmod order by a.attnum), array_agg(a.attndims::int order by a.attnum)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
and c.relname <> '_pipelines_loads' and has_table_privilege(c.oid, 'select')
group by n.nspname, c.relname, c.oid, c.reltuples, c.relkind
order by 1, 2
"""
