"""What differs between SQL dialects where shared SQL text is written.

Statements are written by the modules beside this one; nothing here runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from platform_pipelines.duck import literal, quote

if TYPE_CHECKING:
    from collections.abc import Callable

#: what a comparison needs to know of a column's type
Family = Literal["int", "decimal", "float", "string", "uuid", "bool", "date", "timestamp", "timestamptz", "other"]


def typed_literal(family: Family, text: str) -> str:
    """A literal as DuckDB and PostgreSQL read it.

    Args:
        family: the type the literal shall have.
        text: digits for numbers; dates and timestamps as ``2026-01-31[ 13:45:00[.123456]]``, instants in UTC.
    """
    if family in {"int", "decimal"}:
        return f"({text})" if text.startswith("-") else text
    if family == "float":
        return f"cast({literal(text)} as double precision)"
    if family == "date":
        return f"date {literal(text)}"
    if family == "timestamp":
        return f"timestamp {literal(text)}"
    if family == "timestamptz":
        return f"timestamptz {literal(text + '+00')}"
    return literal(text)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect.

    Attributes:
        name: such as ``duckdb``, ``postgres`` or a SQLAlchemy dialect's name.
        quote: quotes an identifier.
        literal: writes a literal of a family; see :func:`typed_literal`.
        fraction_digits: fraction digits of a timestamp without zone at most; instants have six.
        byte_order: the clause that makes text compare by bytes, as Python does.
    """

    name: str
    quote: Callable[[str], str] = quote
    literal: Callable[[Family, str], str] = typed_literal
    fraction_digits: int = 6
    byte_order: str = ""


def _duckdb_literal(family: Family, text: str) -> str:
    fraction = text.partition(".")[2]
    if family == "timestamp" and len(fraction) > _MICROSECOND_DIGITS:
        return f"timestamp_ns {literal(text)}"
    return typed_literal(family, text)


_MICROSECOND_DIGITS = 6

DUCKDB = Dialect("duckdb", literal=_duckdb_literal, fraction_digits=9)
POSTGRES = Dialect("postgres", byte_order=' collate "C"')
