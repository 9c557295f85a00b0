"""What the golden table is made of: a type, its values, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass

#: what arrives in Arrow for a date and a timestamp that is infinite
DAYS, MICROSECONDS = str(2**31 - 1), str(2**63 - 1)


@dataclass(frozen=True)
class Value:
    """One value.

    Attributes:
        pg: its text in PostgreSQL, source and destination alike.
        duck: its text in DuckDB; as in PostgreSQL if None.
        arrow: its text in Parquet, see ``golden_copy.arrow_text``; as in DuckDB if None.
    """

    pg: str
    duck: str | None = None
    arrow: str | None = None


@dataclass(frozen=True)
class Golden:
    """One type of PostgreSQL.

    Attributes:
        kind: as ``format_type`` writes it at the destination.
        duck: the type in DuckDB.
        arrow: the type in Parquet, as Arrow reads it.
        values: what is sent through; NULL is sent besides.
        declared: the type in the source's DDL, where that is another text.
        note: for the reference page, where something is to be said.
    """

    kind: str
    duck: str
    arrow: str
    values: tuple[Value, ...]
    declared: str | None = None
    note: str = ""

    @property
    def ddl(self) -> str:
        """The column's type in CREATE TABLE."""
        return self.declared or self.kind


def as_text(kind: str, *values: str, declared: str | None = None, note: str = "") -> Golden:
    """A type that DuckDB and Parquet have no word for: its text, unchanged."""
    return Golden(kind, "VARCHAR", "string", tuple(Value(text) for text in values), declared, note)


def plain(kind: str, duck: str, arrow: str, *values: str | tuple[str, ...], note: str = "") -> Golden:
    """A type that all three have."""
    return Golden(kind, duck, arrow, tuple(Value(*([v] if isinstance(v, str) else v)) for v in values), note=note)
