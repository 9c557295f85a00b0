"""DuckDB types a column of records may take on: which hold which values exactly, and what holds both of two.

When a column's type is settled is left to ``record_table``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.relations import family

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    import pyarrow as pa

#: a column that has held nothing but NULL so far
UNTYPED = '"NULL"'
#: pairs of families whose values may fit, one by one
_MAY_FIT = {("integer", "decimal"), ("integer", "float"), ("decimal", "integer"), ("date", "timestamp")}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DIGITS = {"TINYINT": 3, "UTINYINT": 3, "SMALLINT": 5, "USMALLINT": 5, "INTEGER": 10, "UINTEGER": 10, "BIGINT": 19}
_PRECISION = 38
#: integers up to this size are doubles too (IEEE 754)
_EXACT_DOUBLE = 2**53


def physical(kind: str) -> str:
    """The type of the stored column."""
    return "VARCHAR" if kind == UNTYPED else kind


def roomy(kind: str) -> str:
    """The type to try first for a new column: decimals get the room that ``map`` gives them, not just what came."""
    return "DECIMAL(38,9)" if family(kind) == "decimal" else kind


def misfit(connection: duckdb.DuckDBPyConnection, value: str, natural: str, kind: str) -> str | None:
    """The SQL condition that ``value`` of type ``natural`` does not fit ``kind`` exactly; None if all do."""
    if kind == natural:
        return None
    if family(natural) == "nested" == family(kind) and not _alike(*_arrow(connection, natural, kind)):
        return f"{value} is not null"
    if family(natural) == family(kind) or (family(natural), family(kind)) in _MAY_FIT:
        return f"{value} is not null and try_cast(try_cast({value} as {kind}) as {natural}) is distinct from {value}"
    return f"{value} is not null"


def grown(
    connection: duckdb.DuckDBPyConnection, kind: str, natural: str, column: str, before: Iterable[str]
) -> str | None:
    """The smallest type that holds all values of both; None if there is none.

    Args:
        connection: where the tables are.
        kind: the column's type so far.
        natural: the type of the values that came.
        column: the column.
        before: tables that hold it in earlier types.
    """
    families = {family(kind), family(natural)}
    if families == {"integer", "float"} and family(natural) == "float":
        return "DOUBLE" if _exact_doubles(connection, column, before) else None
    if families <= {"integer", "decimal"} and "decimal" in families:
        return _decimal(kind, natural)
    if families == {"date", "timestamp"}:
        return "TIMESTAMP"
    return _common(connection, kind, natural) if len(families) == 1 else None


def _exact_doubles(connection: duckdb.DuckDBPyConnection, column: str, before: Iterable[str]) -> bool:
    largest = f"greatest(max({quote(column)}), -min({quote(column)}))"
    rows = [
        connection.execute(f"select coalesce({largest}, 0) <= {_EXACT_DOUBLE} from {quote(table)}").fetchone()
        for table in before
    ]
    return all(row is not None and row[0] for row in rows)


def _decimal(left: str, right: str) -> str | None:
    sizes = [_size(each) for each in (left, right)]
    whole, scale = max(size[0] for size in sizes), max(size[1] for size in sizes)
    return f"DECIMAL({whole + scale},{scale})" if whole + scale <= _PRECISION else None


def _size(kind: str) -> tuple[int, int]:
    """Digits before and after the point."""
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else (_DIGITS.get(kind, _PRECISION), 0)


def _common(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> str | None:
    import duckdb

    if family(left) == "other":
        return None
    union = f"select cast(null as {left}) as v union all select cast(null as {right})"
    try:
        row = connection.execute(f"describe {union}").fetchone()
    except duckdb.Error:  # nested types that have nothing in common
        return None
    return str(row[1]) if row and _alike(*_arrow(connection, left, right)) else None


def _arrow(connection: duckdb.DuckDBPyConnection, *kinds: str) -> list[pa.DataType]:
    nulls = ", ".join(f"cast(null as {kind})" for kind in kinds)
    return connection.execute(f"select {nulls}").to_arrow_table().schema.types


def _alike(left: pa.DataType, right: pa.DataType) -> bool:
    """Whether nested types have leaves of one kind where both have them: DuckDB would make numbers texts."""
    import pyarrow.types as t

    if t.is_struct(left) and t.is_struct(right):
        both = {field.name for field in left} & {field.name for field in right}
        return all(_alike(left.field(name).type, right.field(name).type) for name in both)
    if t.is_list(left) and t.is_list(right):
        return _alike(left.value_type, right.value_type)
    return left.equals(right) or any(test(left) and test(right) for test in (t.is_integer, t.is_decimal, t.is_map))
