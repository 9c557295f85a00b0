"""How far each partition has come: the highest cursor by partition, in one DuckDB scan.

Where the relation comes from is left to the caller.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from platform_pipelines.cursor import Cursor
from platform_pipelines.duck import quote
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from platform_pipelines.model import TimeSlice, ValueSlice, Window
    from platform_pipelines.sql.dialect import Family

_AT_ONCE = 100


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
    keys = iter(slices)
    while chunk := list(islice(keys, _AT_ONCE)):
        parts = [window_sql(replace(window, partition=slices[key]), columns, DUCKDB) or "true" for key in chunk]
        found |= dict(_scan(connection, relation, window.field, chunk, parts))
    return found


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
