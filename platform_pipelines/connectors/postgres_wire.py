"""How each arriving column is sent to PostgreSQL and what it becomes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.sql import duckdb_types, postgres_types
from platform_pipelines.sql.types import ColumnType

if TYPE_CHECKING:
    from platform_pipelines.sql.evolve import Column

#: families whose binary form DuckDB writes as PostgreSQL reads it
_BINARY = frozenset({"bool", "int", "float", "date", "timestamp", "timestamptz", "time", "interval", "bytes"})
_BINARY_ELEMENTS = frozenset({"bool", "int", "float", "date", "timestamp", "timestamptz"})
_DIGITS_OF_64_BITS = 20
#: with more fraction digits DuckDB writes decimals wrongly in binary
_BINARY_SCALE = 36


@dataclass(frozen=True, slots=True)
class Wire:
    """A column on its way.

    Attributes:
        select: DuckDB expression over the arriving rows.
        stage: PostgreSQL type of the staged column.
        value: PostgreSQL expression over the stage ``s``, in the target's type.
        direct: whether what is sent could be copied straight into the target's column.
    """

    select: str
    stage: str
    value: str
    direct: bool


def wire(column: Column, arrived: ColumnType) -> Wire:
    """How a column is sent.

    Args:
        column: the column as it is declared to arrive, and the target's type.
        arrived: the type in which its values really come.
    """
    name, staged = quote(column.name), f"s.{quote(column.name)}"
    target = column.target
    if target.family == "text":
        return Wire(f"cast({name} as varchar)", "text", staged, direct=True)
    if target.family == "list" and arrived.family == "list":
        return _list(name, staged, target, arrived)
    if target.family == "decimal" and arrived.family in {"decimal", "int"} and arrived.scale <= _BINARY_SCALE:
        sent = arrived if arrived.family == "decimal" else ColumnType("decimal", _DIGITS_OF_64_BITS)
        return Wire(f"cast({name} as {duckdb_types.render(sent)})", postgres_types.render(sent), staged, direct=True)
    rendered = postgres_types.render(target)
    if target.family == "float" and arrived.family == "int":  # staged as it came, so that its digits can be looked at
        sent = ColumnType("decimal", _DIGITS_OF_64_BITS)
        number = f"cast({name} as {duckdb_types.render(sent)})"
        return Wire(number, postgres_types.render(sent), f"{staged}::{rendered}", direct=False)
    if target.family in _BINARY and arrived.family not in {"text", "null"}:
        return Wire(f"cast({name} as {duckdb_types.render(target)})", rendered, staged, direct=True)
    nested = arrived.family in {"list", "struct", "map"}
    source = f"to_json({name})" if nested else name
    return Wire(f"cast({source} as varchar)", "text", f"{staged}::{rendered}", direct=False)


def _list(name: str, staged: str, target: ColumnType, arrived: ColumnType) -> Wire:
    rendered = postgres_types.render(target)
    element, coming = target.element, arrived.element
    if element and coming and element.family in _BINARY_ELEMENTS and coming.family in _BINARY_ELEMENTS:
        return Wire(f"cast({name} as {duckdb_types.render(target)})", rendered, staged, direct=True)
    return Wire(f"cast({name} as varchar[])", "varchar[]", f"{staged}::{rendered}", direct=False)
