"""Loads into PostgreSQL: each step of the load script in PostgreSQL's words.

Everything happens in one transaction. The order of steps is left to
``sql.script``, the bytes of the rows to ``postgres_copy``.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from platform_pipelines import durable
from platform_pipelines.connectors.postgres_copy import copy_rows, original_error
from platform_pipelines.connectors.postgres_wire import wire
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData, SchemaDrift
from platform_pipelines.sql import offsets, postgres_types
from platform_pipelines.sql.arrivals import Arrivals
from platform_pipelines.sql.arrow_types import PG_DOMAIN, PG_TYPE, from_arrow, plain_type
from platform_pipelines.sql.dialect import POSTGRES
from platform_pipelines.sql.script import STAGE
from platform_pipelines.sql.tables import FEED, check_count, check_lengths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import psycopg
    import pyarrow as pa

    from platform_pipelines.connectors.postgres_wire import Wire
    from platform_pipelines.model import Load, LoadPlan
    from platform_pipelines.sql.evolve import Changes, Column
    from platform_pipelines.sql.tables import TableName
    from platform_pipelines.sql.types import ColumnType

#: bytes of a name at most
NAME_BYTES = 63
#: columns of a table at most
COLUMNS = 1_600
#: below this the planner guesses well enough
_ANALYZE_ROWS = 1_000
#: the first version that knows MERGE
_MERGES = 150_000

#: the columns of a constraint in the detail of its violation, such as ``Key (id, "Day")=(1, 2) already exists.``
_CONSTRAINED = re.compile(r"\((.+?)\)=\(")

_PLAIN = """
select relkind = 'r' and not relhasrules and not relhassubclass from pg_catalog.pg_class
where oid = to_regclass({})
"""

# few rows of a large table are looked up by its key, as if it were in memory or on a disk without arms; what
# PostgreSQL assumes by itself makes it read the whole table for one row in a hundred
_LOOK_UP = "select set_config('random_page_cost', least(current_setting('random_page_cost')::numeric, 1.1)::text, true)"

_COLUMNS = """
with recursive found(name, place, type, modifier) as (
    select a.attname, a.attnum, a.atttypid, a.atttypmod
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped
    union all
    select f.name, f.place, t.typbasetype, t.typtypmod
    from found f join pg_catalog.pg_type t on t.oid = f.type
    where t.typtype = 'd'
)
select f.name, pg_catalog.format_type(f.type, f.modifier)
from found f join pg_catalog.pg_type t on t.oid = f.type
where t.typtype <> 'd'
order by f.place
"""

_PRIMARY_KEY = """
select k.conname, array_agg(a.attname::text)
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any(k.conkey)
where n.nspname = %s and c.relname = %s and k.contype = 'p'
group by k.conname
"""


class PostgresLoad:
    """One load's transaction; see :class:`platform_pipelines.sql.script.Database`.

    Args:
        transaction: psycopg connection inside a transaction.
        encoder: DuckDB connection that encodes the rows; None where no rows will come.
        load: what is loaded.
    """

    byte_order = POSTGRES.byte_order
    narrowed = False

    def __init__(
        self, transaction: psycopg.Connection, load: Load, encoder: duckdb.DuckDBPyConnection | None = None
    ) -> None:
        self._transaction = transaction
        self._encoder = encoder
        self._load = load
        self._known: dict[str, bool] = {}
        self._metadata = {f.name: f.metadata or {} for f in load.schema}
        self._arrived = {f.name: from_arrow(plain_type(f.type, nanoseconds=False)) for f in load.schema}
        self._bytes = 0

    def execute(self, sql: str) -> int:
        """Run a statement; rows it wrote."""
        with durable.effect("sql", sql):
            return self._transaction.execute(sql.encode()).rowcount

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query; its rows."""
        with durable.effect("query", sql):
            return self._transaction.execute(sql.encode()).fetchall()

    def incoming(self, field: pa.Field[Any]) -> ColumnType:
        """The type that a new column for ``field`` gets."""
        return postgres_types.incoming(field, self._knows)

    def render(self, column: ColumnType) -> str:
        """The type in PostgreSQL's SQL."""
        return postgres_types.render(column)

    def holds(self, column: ColumnType) -> bool:  # noqa: ARG002 - the protocol
        """Any: a numeric has up to a thousand digits."""
        return True

    def _knows(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = self.query(f"select to_regtype({literal(name)}) is not null")[0][0]
        return self._known[name]

    def prepare(self, table: TableName) -> None:
        """Take the table's lock, and make its schema and table of offsets where they are missing."""
        if self.columns(table.offsets) is None:
            self._lock(table.schema)  # two first loads must not both create
            if not self.query(f"select to_regnamespace({literal(quote(table.schema))}) is not null")[0][0]:
                self.execute(f"create schema {quote(table.schema)}")
            if self.columns(table.offsets) is None:
                self.execute(offsets.create(table))
        self._lock(table.text)

    def _lock(self, name: str) -> None:
        self.query(f"select pg_advisory_xact_lock(hashtextextended({literal('platform_pipelines ' + name)}, 0))::text")

    def columns(self, table: TableName) -> dict[str, ColumnType] | None:
        """The table's columns; None if there is no such table."""
        with durable.effect("query", f"columns of {table.text}"):
            rows = self._transaction.execute(_COLUMNS, [table.schema, table.name]).fetchall()
        return {name: postgres_types.parse(text) for name, text in rows} or None

    def check(self, table: TableName, have: Mapping[str, ColumnType] | None, found: Changes) -> None:
        """See that PostgreSQL can have such columns.

        Raises:
            InvalidData: a name is too long, or there are too many.
        """
        names = [column.name for column in found.columns]
        check_lengths((table.schema, table.name, *names), NAME_BYTES, "PostgreSQL")
        check_count(len({*(have or ()), *names, *([FEED] if found.feed else [])}), COLUMNS, table, "PostgreSQL")

    def evolve(self, table: TableName, plan: LoadPlan, found: Changes) -> None:
        """Make the changes, inside the transaction."""
        for statement in plan.ddl + plan.destructive:
            self.execute(statement)
        if rekeyed := self.rekeyed(table):
            self._rekey(table, rekeyed)
        for column in found.columns if found.create else ():
            self._restore_domain(table, column)

    def rekeyed(self, table: TableName) -> str | None:
        """The statement that gives a table the load's key as its primary key; None where the one it has will do.

        Only a new epoch of a merge may have another key than the rows that are there. A primary key
        over columns that are not loaded, or beyond the load's key, is no hindrance.
        """
        load = self._load
        if load.mode != "merge" or not load.fresh:
            return None
        with durable.effect("query", f"primary key of {table.text}"):
            rows = self._transaction.execute(_PRIMARY_KEY, [table.schema, table.name]).fetchall()
        if not rows:
            return None
        name, columns = rows[0]
        if set(load.key) <= set(columns) or not set(columns) <= set(load.schema.names):
            return None
        key = ", ".join(quote(column) for column in load.key)
        return f"alter table {table.sql} drop constraint {quote(name)}, add primary key ({key})"

    def _rekey(self, table: TableName, statement: str) -> None:
        """Take back what the feed had loaded by another key, then change the primary key.

        Raises:
            SchemaDrift: nobody allowed it, or rows of others have no such key.
        """
        if not self._load.allow_destructive:
            msg = (
                f"The primary key of {self._load.table} is another than the key of this destination "
                f"({', '.join(self._load.key)}). Replace it by `pipelines run NAME --full-refresh --allow-destructive`."
            )
            raise SchemaDrift(msg)
        if FEED in (self.columns(table) or {}):
            self.execute(f"delete from {table.sql} where {quote(FEED)} = {literal(self._load.feed.id)}")
        none = " or ".join(f"{quote(name)} is null" for name in self._load.key)
        if self.query(f"select 1 from {table.sql} where {none} limit 1"):
            msg = (
                f"{self._load.table} holds rows of other feeds that have no {', '.join(self._load.key)}, so that "
                "cannot become its primary key. Load into a new `table`, or drop this one and load every feed anew by "
                "`pipelines run NAME --full-refresh`."
            )
            raise SchemaDrift(msg)
        self.execute(statement)

    def _restore_domain(self, table: TableName, column: Column) -> None:
        """Make a new column, still empty, one of the domain it came from, where this database has that."""
        metadata = self._metadata[column.name]
        name = metadata.get(PG_DOMAIN, b"").decode()
        if name and column.target == postgres_types.parse(metadata[PG_TYPE].decode()) and self._knows(name):
            self.execute(f"alter table {table.sql} alter column {quote(column.name)} type {name}")

    def direct(self, table: TableName, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int | None:
        """Copy straight into the table, unless a column must be cast there."""
        wires = self._wires(found)
        if not all(w.direct for w in wires.values()):
            return None
        selected = {quote(name): w.select for name, w in wires.items()}
        if found.feed:
            selected[quote(FEED)] = literal(load.feed.id)
        return self._copy(table.sql, selected, load, batches)

    def stage(self, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int:
        """A temporary table that goes with the transaction."""
        wires = self._wires(found)
        columns = ", ".join(f"{quote(name)} {w.stage}" for name, w in wires.items())
        self.execute(f"create temporary table {STAGE} ({columns}) on commit drop")
        rows = self._copy(STAGE, {quote(name): w.select for name, w in wires.items()}, load, batches)
        compared = dict.fromkeys(name for name in (*load.key, load.cursor, load.delete_field) if name in wires)
        if rows > _ANALYZE_ROWS and compared:
            self.execute(f"analyze {STAGE} ({', '.join(map(quote, compared))})")
        self.query(_LOOK_UP)
        return rows

    def merges(self, table: TableName) -> bool:
        """Since PostgreSQL 15, into tables that stand for themselves: no rules, views, foreign tables or children."""
        if self._transaction.info.server_version < _MERGES:
            return False
        return self.query(_PLAIN.format(literal(table.sql))) == [(True,)]

    def value(self, column: Column) -> str:
        """The staged column in the type of the target."""
        return wire(column, self._arrived[column.name]).value

    def seal(self, table: TableName, load: Load) -> None:
        """Give a merged table its primary key: merges look rows up by it, and it keeps keys unique."""
        types = self.columns(table) or {}
        if load.mode == "merge" and all(types[name].name != "json" for name in load.key):  # json has no index
            key = ", ".join(quote(name) for name in load.key)
            self.execute(f"alter table {table.sql} add primary key ({key})")

    def written(self) -> int:
        """Bytes sent by COPY."""
        return self._bytes

    def _wires(self, found: Changes) -> dict[str, Wire]:
        return {c.name: wire(c, self._arrived[c.name]) for c in found.columns}

    def _copy(self, target: str, selected: dict[str, str], load: Load, batches: pa.RecordBatchReader) -> int:
        if self._encoder is None:
            return 0
        arrivals = Arrivals(self._encoder, load, batches, nanoseconds=False)
        statement = f"copy {target} ({', '.join(selected)}) from stdin (format binary)"
        query = f"select {', '.join(selected.values())} from {arrivals.sql}"
        try:
            with durable.effect("copy", statement):
                rows, self._bytes = copy_rows(self._transaction, statement, self._encoder, query)
        except BaseException as error:
            original = original_error(error, arrivals, load.table)
            if original is error:
                raise
            raise original from error
        return rows


@contextlib.contextmanager
def conflicts_named(load: Load) -> Iterator[None]:
    """Say of a unique constraint that refuses a row of a merge that it is another than the key.

    Raises:
        InvalidData: with what to do about it.
    """
    from psycopg import errors

    try:
        yield
    except errors.UniqueViolation as error:
        found = error.diag.message_detail or ""
        named = _CONSTRAINED.search(found)  # in whatever language, in the order of the constraint
        if load.mode != "merge" or named is None or set(named[1].replace('"', "").split(", ")) == set(load.key):
            raise
        msg = (
            f"The constraint {error.diag.constraint_name!r} of {load.table} refuses a row: {found} The key of this "
            f"destination is another ({', '.join(load.key)}). If it was changed, load everything anew by "
            "`pipelines run NAME --full-refresh --allow-destructive`; else drop the constraint, or choose its columns "
            "as the key."
        )
        raise InvalidData(msg) from error
