"""How values of DuckDB travel in Arrow and Parquet: types that these have no word for go as text.

Arrow writes no intervals to Parquet, a time with zone loses its zone on the way, and
bits, big numbers and unions come back as something else. Their text can be cast back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.sql import duckdb_types
from platform_pipelines.sql.types import TEXT, ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDEST = duckdb_types.parse("UHUGEINT")  # Arrow makes a double of it


def carried(column: ColumnType) -> ColumnType:
    """The type in which a column travels, inside lists, structs and maps too."""
    if column.family == "interval" or column == _WIDEST:
        return TEXT
    if column.family == "other":
        return TEXT if column.name else column  # no name: a field of an unnamed struct
    element = column.element and carried(column.element)
    fields = tuple((name, carried(inner)) for name, inner in column.fields)
    return replace(column, element=element, fields=fields)


def expression(name: str, column: ColumnType) -> str:
    """SQL of a column as it travels."""
    if column.family == "other" and column.name.startswith(("UNION", "VARIANT")):
        return f"cast(to_json({quote(name)}) as varchar)"
    goes_as = carried(column)
    return quote(name) if goes_as == column else f"cast({quote(name)} as {duckdb_types.render(goes_as)})"


def replaced(types: Mapping[str, str]) -> str:
    """What follows ``select *`` so that all columns travel: nothing, or a ``replace (…)``.

    Args:
        types: names of columns with their types as DuckDB writes them.
    """
    expressions = {name: expression(name, duckdb_types.parse(kind)) for name, kind in types.items()}
    parts = [f"{sql} as {quote(name)}" for name, sql in expressions.items() if sql != quote(name)]
    return f" replace ({', '.join(parts)})" if parts else ""
