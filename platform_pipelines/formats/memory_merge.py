"""Select from and merge into Arrow tables: DuckDB decides which rows, Arrow moves them.

Values never pass through DuckDB, so every Arrow type survives as it is. Where
tables are kept is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.formats.versions import RESERVED, kept_columns, lost_columns, removes, same_key, unified, wins
from platform_pipelines.model import Receipt
from platform_pipelines.rows import all_but
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.keys import need_key, repeated
from platform_pipelines.sql.predicates import families, window_sql
from platform_pipelines.timeunits import cast_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.model import Feed, Load, Window

#: the column that says which feed wrote a row
FEED = "_pipelines_feed"


@dataclass(frozen=True, slots=True)
class _Matches:
    """Staged rows by what becomes of them; row numbers in the stage and in the table."""

    inserted: pa.Array[Any]
    replacing: pa.Array[Any]
    replaced: pa.Array[Any]
    deleted: pa.Array[Any]
    dropped: pa.Array[Any]


def public(table: pa.Table) -> pa.Table:
    """The table without bookkeeping columns."""
    return table.drop_columns([n for n in table.column_names if n.startswith(RESERVED)])


def select(table: pa.Table, window: Window) -> pa.Table:
    """The rows that a window asks for, in their order."""
    where = window_sql(window, families(table.schema), DUCKDB)
    if not where:
        return table
    part = window.partition.field if window.partition else None
    names = [name for name in {window.field, part} if name is not None]
    with duck.session() as connection:
        connection.register("stored", _numbered(table.select(names), "_pipelines_n"))
        chosen = connection.execute(f"select _pipelines_n as n from stored where {where} order by n").to_arrow_table()
    return table.take(chosen.column("n"))


def merge(current: pa.Table | None, stage: pa.Table, load: Load) -> tuple[pa.Table, Receipt]:
    """The table after the load, and what was counted.

    Raises:
        InvalidData: the rows that are there lack the key, or several of them share it.
    """
    rows = stage.num_rows
    stage = stage.select(kept_columns(load))
    stage = stage.append_column(FEED, _repeat(load.feed.id, rows))
    replaced = load.mode == "replace" and load.fresh and load.feed.partition is None
    if current is None or (replaced and load.allow_destructive):
        current = stage.schema.empty_table()
    current = current.drop_columns(lost_columns(current.schema, load))
    schema = unified(current.schema, stage.schema)
    if load.mode in {"append", "replace"}:
        kept = _without_replaced(current, load)
        return _stack([kept, stage], schema), Receipt(staged=rows, loaded=rows)
    if current.num_rows:
        need_key(current.column_names, load)
    found = _match(current, stage, load)
    parts = [_remove(current, [found.replaced, found.deleted, found.dropped])]
    if load.mode != "delete":
        parts.append(_filled(stage, current, found))
    if load.mode == "merge":
        parts.append(stage.take(found.inserted))
    loaded = len(found.replacing) + len(found.deleted) + (len(found.inserted) if load.mode == "merge" else 0)
    if load.mode == "delete":
        schema = current.schema
    return _stack(parts, schema), Receipt(staged=rows, loaded=loaded, superseded=rows - loaded)


def without(table: pa.Table, feed: Feed | None) -> pa.Table:
    """The table without the rows that a feed brought; None takes nothing away."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if feed is None or FEED not in table.column_names:
        return table
    own: Any = pc.equal(table.column(FEED), pa.scalar(feed.id))
    return table.filter(pc.invert(own.fill_null(False)))  # noqa: FBT003 - pyarrow's signature


def _without_replaced(current: pa.Table, load: Load) -> pa.Table:
    if not load.fresh:
        return current
    if load.mode == "replace" and load.feed.partition is None:
        return current.slice(0, 0)
    return without(current, load.feed)


def _match(current: pa.Table, stage: pa.Table, load: Load) -> _Matches:
    with duck.session() as connection:
        names = [n for n in dict.fromkeys([*load.key, load.cursor, FEED]) if n in current.column_names]
        connection.register("t", _numbered(current.select(names), "_pipelines_n"))
        connection.register("s", _numbered(stage, "_pipelines_m"))
        comparable = load.cursor in current.column_names
        feed = f"t.{FEED}" if FEED in current.column_names else "null"
        won = wins(load, feed, comparable=comparable)
        own = (
            f"t.{FEED} = {duck.literal(load.feed.id)}"
            if load.fresh and load.mode == "merge" and feed != "null"
            else "false"
        )
        known = set(load.key) <= set(names)
        connection.execute(
            f"create temp table found as select s._pipelines_m as m, t._pipelines_n as n, ({won}) as wins, "
            f"({removes(load)}) as removes from s left join {_apart(load, own) if known else 't'} as t "
            f"on {same_key(load) if known else 'false'}"
        )
        _need_one_each(connection, load)
        stale = (
            f"select _pipelines_n from t where {own} and _pipelines_n not in (select n from found where n is not null)"
        )

        def numbers(sql: str) -> pa.Array[Any]:
            return connection.execute(sql).to_arrow_table().column(0).combine_chunks()

        return _Matches(
            inserted=numbers("select m from found where n is null and not removes order by m"),
            replacing=numbers("select m from found where n is not null and wins and not removes order by m, n"),
            replaced=numbers("select n from found where n is not null and wins and not removes order by m, n"),
            deleted=numbers("select n from found where n is not null and wins and removes order by m"),
            dropped=numbers(stale),
        )


def _apart(load: Load, own: str) -> str:
    """The rows that are there, less those of its own that a new epoch could not tell apart by its key."""
    keys = ", ".join(duck.quote(name) for name in load.key)
    shared = f"select {keys} from t group by {keys} having count(*) > 1"
    return f"(from t where not coalesce({own} and ({keys}) in ({shared}), false))"


def _need_one_each(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    """See that a staged row of a merge replaces one row at most.

    Raises:
        InvalidData: the table holds a key twice.
    """
    query = "select 1 from found where n is not null and wins group by m having count(*) > 1 limit 1"
    if load.mode == "merge" and connection.execute(query).fetchone():
        raise repeated(load.table, load)


def _filled(stage: pa.Table, current: pa.Table, found: _Matches) -> pa.Table:
    """The staged rows that replace others; columns that the load lacks keep the old values."""
    rows = stage.take(found.replacing)
    old = current.take(found.replaced)
    for name in current.column_names:
        if name not in stage.column_names:
            rows = rows.append_column(current.schema.field(name), old.column(name))
    return rows


def _remove(table: pa.Table, numbers: Sequence[pa.Array[Any]]) -> pa.Table:
    import pyarrow as pa

    gone: pa.ChunkedArray[Any] = pa.chunked_array(numbers)
    return table.filter(all_but(table.num_rows, gone))


def _stack(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    stacked = pa.concat_tables(parts, promote_options="permissive")
    return cast_table(stacked.select(schema.names), schema)


def _numbered(table: pa.Table, name: str) -> pa.Table:
    import pyarrow as pa

    return table.append_column(name, pa.array(range(table.num_rows), pa.int64()))


def _repeat(text: str, rows: int) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.repeat(pa.scalar(text), rows)
