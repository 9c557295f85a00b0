"""Row counts and sums of columns: what two systems are compared by.

Asking for them is left to the connectors, comparing to the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.spec.nearest import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_pipelines.sql.dialect import Family

_NUMBERS = frozenset({"int", "decimal", "float"})


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a stream or table holds.

    Attributes:
        rows: rows.
        sums: of each column asked for, exact but for floats. No value at all sums to 0.
    """

    rows: int
    sums: Mapping[str, Decimal | float]

    @classmethod
    def of(cls, columns: Sequence[str], row: Sequence[Any]) -> Totals:
        """The answer to a query for :func:`expressions`."""
        return cls(int(row[0]), {name: number(value) for name, value in zip(columns, row[1:], strict=True)})


def number(value: Any) -> Decimal | float:  # noqa: ANN401 - what a driver returns for a sum
    """A sum as a number: exact, unless it is a float already."""
    if value is None:
        return Decimal(0)
    return value if isinstance(value, Decimal | float) else Decimal(str(value))


def expressions(columns: Sequence[str], families: Mapping[str, Family], place: str) -> list[str]:
    """The SELECT list that counts rows and sums columns, alike in PostgreSQL and DuckDB.

    Args:
        columns: what to sum.
        families: the family of every column there is.
        place: the stream or table, for messages.

    Raises:
        InvalidData: a column does not exist or holds no numbers.
    """
    return ["count(*)", *(_sum(name, families, place) for name in columns)]


def check_number(name: str, families: Mapping[str, Family], place: str) -> None:
    """Refuse a column that cannot be summed.

    Raises:
        InvalidData: it does not exist or holds no numbers.
    """
    if name not in families:
        msg = f"{place} has no column `{name}` to sum. {allowed(name, families)}"
        raise InvalidData(msg)
    if families[name] not in _NUMBERS:
        msg = f"`{name}` of {place} is {families[name]}: only numbers can be summed. Take it out of `sums`."
        raise InvalidData(msg)


def _sum(name: str, families: Mapping[str, Family], place: str) -> str:
    check_number(name, families, place)
    # a sum of 32-bit floats would be one itself
    value = f"cast({quote(name)} as double precision)" if families[name] == "float" else quote(name)
    return f"sum({value})"
