"""How far each partition has come: the highest cursor by partition, in as few DuckDB scans as possible.

Where the relation comes from is left to the caller.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from platform_pipelines.cursor import Cursor
from platform_pipelines.duck import quote
from platform_pipelines.model import TimeSlice, Window
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import conditions, window_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb

    from platform_pipelines.model import ValueSlice
    from platform_pipelines.sql.dialect import Family
    from platform_pipelines.sql.predicates import Condition

_Value = TypeVar("_Value")

#: partitions that one scan answers for, each by a condition of its own
_AT_ONCE = 100
#: periods that rows are joined with at a time, where there are more
_JOINED = 5_000


def partition_cursors(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Mapping[str, Family],
    window: Window,
    slices: Mapping[str, TimeSlice | ValueSlice],
) -> dict[str, Cursor | None]:
    """The highest cursor of each partition that has rows.

    Args:
        connection: where the relation can be read.
        relation: SQL of the relation, as it stands after ``from``.
        columns: the family of every column.
        window: its cursor field and bounds apply in every partition.
        slices: the partitions by key.
    """
    found: dict[str, Cursor | None] = {}
    times = {key: part for key, part in slices.items() if isinstance(part, TimeSlice)} if columns else {}
    if len(times) > _AT_ONCE:
        parts = {key: conditions(Window(partition=part), columns)[0] for key, part in times.items()}
        wanted = window_sql(replace(window, partition=None), columns, DUCKDB) or "true"
        for bounds in _chunks(parts.items(), _JOINED):
            found |= dict(_join(connection, f"{relation} where {wanted}", window.field, bounds))
        slices = {key: part for key, part in slices.items() if key not in times}
    for keys in _chunks(slices, _AT_ONCE):
        each = [window_sql(replace(window, partition=slices[key]), columns, DUCKDB) or "true" for key in keys]
        found |= dict(_scan(connection, relation, window.field, keys, each))
    return found


def _chunks(values: Iterable[_Value], size: int) -> Iterator[list[_Value]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def _join(
    connection: duckdb.DuckDBPyConnection, rows: str, field: str | None, bounds: Sequence[tuple[str, Condition]]
) -> Iterator[tuple[str, Cursor | None]]:
    """Find the period of each row by a join; periods do not overlap."""
    _, first = bounds[0]
    name, value = quote(first.field), quote(field) if field else "null::bigint"

    def bound(text: str | None) -> str:
        return DUCKDB.literal(first.family, text or "")

    periods = ", ".join(f"({i}, {bound(part.low)}, {bound(part.high)})" for i, (_, part) in enumerate(bounds))
    low, high = min(part.low or "" for _, part in bounds), max(part.high or "" for _, part in bounds)
    table = connection.execute(
        f"select period.i, max(r.value) as v from (select {name} as field, {value} as value from {rows} "
        f"and {name} >= {bound(low)} and {name} < {bound(high)}) as r join (values {periods}) as period(i, low, high) "
        "on r.field >= period.low and r.field < period.high group by period.i"
    ).to_arrow_table()
    for i, highest in zip(table.column("i"), table.column("v"), strict=True):
        yield bounds[i.as_py()][0], Cursor.from_scalar(highest)


def _scan(
    connection: duckdb.DuckDBPyConnection, relation: str, field: str | None, keys: list[str], parts: list[str]
) -> Iterator[tuple[str, Cursor | None]]:
    value = quote(field) if field else "null::bigint"
    wanted = ", ".join(
        f"max({value}) filter (where {part}) as v{i}, count(*) filter (where {part}) as n{i}"
        for i, part in enumerate(parts)
    )
    row = connection.execute(f"select {wanted} from {relation}").to_arrow_table()
    for i, key in enumerate(keys):
        if row.column(f"n{i}")[0].as_py():
            yield key, Cursor.from_scalar(row.column(f"v{i}")[0])
