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
#: types of which plain numbers are numbers first
_NUMBERS_BEFORE = {"money": "numeric", "money[]": "numeric[]"}


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
    return Wire(f"cast({source} as varchar)", "text", _read(staged, staged, rendered), direct=False)


def _list(name: str, staged: str, target: ColumnType, arrived: ColumnType) -> Wire:
    rendered = postgres_types.render(target)
    element, coming = target.element, arrived.element
    if element and coming and element.family in _BINARY_ELEMENTS and coming.family in _BINARY_ELEMENTS:
        return Wire(f"cast({name} as {duckdb_types.render(target)})", rendered, staged, direct=True)
    value = _read(staged, f"array_to_string({staged}, ' ')", rendered)
    return Wire(f"cast({name} as varchar[])", "varchar[]", value, direct=False)


def _read(staged: str, text: str, rendered: str) -> str:
    """What PostgreSQL makes of text.

    Money is read as the database's locale writes it, where the point may part thousands: what is a plain number,
    as it is read from money and computed, is a number in every locale.

    Args:
        staged: the staged column, a text or an array of them.
        text: all of its texts, parted by spaces.
        rendered: the type they become.
    """
    if rendered not in _NUMBERS_BEFORE:
        return f"{staged}::{rendered}"
    number = f"{staged}::{_NUMBERS_BEFORE[rendered]}::{rendered}"
    return f"case when {text} ~ '^[-0-9. ]*$' then {number} else {staged}::{rendered} end"
