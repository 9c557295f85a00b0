"""What each column of the rows to load is like: NULLs, distinct values, bounds, distribution.

Drawing is left to ``histogram``. NULL semantics: NULLs are counted apart; they
are no distinct value and in no bar. NaN and infinities are values, in no bar.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.relations import family
from platform_pipelines.rowsql import placed

if TYPE_CHECKING:
    import duckdb

    from platform_pipelines.rowfiles import RowFiles

#: bars of a histogram at most
BARS = 20
_NUMBERS = {"integer", "decimal", "float"}
_TIMES = {"date", "timestamp", "timestamptz"}
_TEXT = 80


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: its name.
        type: its type in DuckDB.
        nulls: rows in which it is NULL.
        distinct: different values.
        min: the smallest value as text; None where there is none, or values have no order.
        max: the largest, likewise.
        bars: rows by part of the range from ``min`` to ``max`` (numbers and times),
            else rows of the most frequent values, the most frequent first.
    """

    name: str
    type: str
    nulls: int
    distinct: int
    min: str | None
    max: str | None
    bars: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def profile(connection: duckdb.DuckDBPyConnection, rows: RowFiles) -> tuple[ColumnProfile, ...]:
    """The profile of each column of rows in files, bookkeeping left out."""
    relation = placed(rows)
    found = connection.execute(f"describe select * from {relation}").fetchall()
    names = [(row[0], row[1]) for row in found if not row[0].startswith("_pipelines_")]
    return tuple(_column(connection, relation, name, kind) for name, kind in names)


def _column(connection: duckdb.DuckDBPyConnection, relation: str, name: str, kind: str) -> ColumnProfile:
    column, values = quote(name), family(kind)
    ordered = values not in {"nested", "other"}
    bounds = f"cast(min({column}) as varchar), cast(max({column}) as varchar)" if ordered else "null, null"
    row = connection.execute(
        f"select count(*) - count({column}), count(distinct {column}), {bounds} from {relation}"
    ).fetchall()[0]
    bars = _ranges if values in _NUMBERS | _TIMES else _frequent
    low, high = (None if value is None else str(value)[:_TEXT] for value in row[2:])
    return ColumnProfile(name, kind, int(row[0]), int(row[1]), low, high, bars(connection, relation, column, values))


def _ranges(connection: duckdb.DuckDBPyConnection, relation: str, column: str, values: str) -> tuple[int, ...]:
    """Rows by equal parts of the range; one bar where there is one value."""
    number = f"cast({column} as double)" if values in _NUMBERS else f"epoch(cast({column} as timestamp))"
    rows = connection.execute(
        f"with v as (select {number} as x from {relation} where {column} is not null), "
        "w as (select x from v where isfinite(x)), b as (select min(x) as low, max(x) as high from w) "
        f"select case when high > low then least({BARS - 1}, "
        f"cast(floor((x / 2 - low / 2) / (high / 2 - low / 2) * {BARS}) as integer)) else 0 end as bar, count(*) "
        "from w, b group by 1"
    ).fetchall()
    counts = {int(bar): int(count) for bar, count in rows}
    return tuple(counts.get(bar, 0) for bar in range(max(counts) + 1)) if counts else ()


def _frequent(connection: duckdb.DuckDBPyConnection, relation: str, column: str, values: str) -> tuple[int, ...]:
    del values
    rows = connection.execute(
        f"select count(*) as n from {relation} where {column} is not null group by {column} order by n desc "
        f"limit {BARS}"
    ).fetchall()
    return tuple(int(count) for (count,) in rows)
