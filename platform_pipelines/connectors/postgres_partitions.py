"""How far each partition of a PostgreSQL stream has come, in one scan for all time partitions."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.cursor import Cursor
from platform_pipelines.duck import literal, quote
from platform_pipelines.model import TimeSlice, Window
from platform_pipelines.sql.dialect import POSTGRES
from platform_pipelines.sql.predicates import conditions, window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg

    from platform_pipelines.connectors.postgres_source import PostgresQuery
    from platform_pipelines.cursor import CursorKind
    from platform_pipelines.model import ValueSlice
    from platform_pipelines.sql.predicates import Condition

_KINDS = frozenset({"int", "decimal", "float", "date", "timestamp", "timestamptz"})
_FINITE = frozenset({"date", "timestamp", "timestamptz"})


def partition_cursors(
    connection: psycopg.Connection,
    query: PostgresQuery,
    window: Window,
    slices: Mapping[str, TimeSlice | ValueSlice],
) -> dict[str, Cursor | None]:
    """The highest cursor of each partition that has rows."""
    times = {key: part for key, part in slices.items() if isinstance(part, TimeSlice)}
    found: dict[str, Cursor | None] = {}
    if times:
        found |= dict(_by_time(connection, query, window, times))
    for key, part in slices.items():
        if key not in times:
            found |= dict(_by_value(connection, query, replace(window, partition=part), key))
    return found


def _by_time(
    connection: psycopg.Connection, query: PostgresQuery, window: Window, slices: Mapping[str, TimeSlice]
) -> Iterator[tuple[str, Cursor | None]]:
    """Number the rows by the bounds they lie between, and group by that."""
    parts = {key: conditions(Window(partition=part), query.families)[0] for key, part in slices.items()}
    first = next(iter(parts.values()))
    bounds = sorted({bound for part in parts.values() for bound in (part.low, part.high) if bound})
    numbers = {bound: number for number, bound in enumerate(bounds, 1)}
    keys = {numbers[part.low or ""]: key for key, part in parts.items()}
    array = ", ".join(literal(bound) for bound in bounds)
    field = f"{quote(first.field)}::{first.family}"
    rows = connection.execute(
        f"select width_bucket({field}, array[{array}]::{first.family}[]), {_high(query, window)} "
        f"from {query.relation.filtered} where {_within(first, bounds)}{_and(window, query)} group by 1".encode()
    ).fetchall()
    for bucket, high in rows:
        if bucket in keys:
            yield keys[bucket], _cursor(high, query, window)


def _within(part: Condition, bounds: list[str]) -> str:
    name = quote(part.field)
    low, high = (POSTGRES.literal(part.family, bound) for bound in (bounds[0], bounds[-1]))
    return f"{name} >= {low} and {name} < {high}"


def _by_value(
    connection: psycopg.Connection, query: PostgresQuery, window: Window, key: str
) -> Iterator[tuple[str, Cursor | None]]:
    row = connection.execute(
        f"select count(*), {_high(query, window)} from {query.relation.filtered} "
        f"where {window_sql(window, query.families, POSTGRES)}".encode()
    ).fetchone()
    if row and row[0]:
        yield key, _cursor(row[1], query, window)


def _and(window: Window, query: PostgresQuery) -> str:
    text = window_sql(replace(window, partition=None), query.families, POSTGRES)
    return f" and {text}" if text else ""


def _high(query: PostgresQuery, window: Window) -> str:
    if window.field is None:
        return "null"
    name = quote(window.field)
    family = query.families[window.field]
    if family == "string":
        return f'max({name} collate "C")'
    return f"max({name}) filter (where isfinite({name}))" if family in _FINITE else f"max({name})"


def _cursor(value: Any, query: PostgresQuery, window: Window) -> Cursor | None:  # noqa: ANN401 - any cursor value
    if value is None or window.field is None:
        return None
    family = query.families[window.field]
    kind: CursorKind = family if family in _KINDS else "string"  # type: ignore[assignment]
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    return Cursor.parse(text, kind)
