"""Column types that two systems can agree on, and how one grows into another.

The names of types in a dialect are left to ``postgres_types`` and
``duckdb_types``, and Arrow's to ``arrow_types``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

TypeFamily = Literal[
    "null",
    "bool",
    "int",
    "decimal",
    "float",
    "text",
    "bytes",
    "date",
    "timestamp",
    "timestamptz",
    "time",
    "interval",
    "uuid",
    "json",
    "list",
    "struct",
    "map",
    "other",
]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        family: what kind of values it holds.
        size: bits of an int or float, digits of a decimal, characters of a text, fraction digits of a
            timestamp; None: unbounded, or the dialect's usual.
        scale: fraction digits of a decimal.
        signed: whether an int can be negative.
        element: element type of a list, value type of a map.
        fields: fields of a struct; the key of a map.
        name: the dialect's own name where the family does not tell: ``inet``, ``jsonb``, ``character``.
        declared: the source declared this type, rather than Arrow having no narrower word for it.
    """

    family: TypeFamily
    size: int | None = None
    scale: int = 0
    signed: bool = True
    element: ColumnType | None = None
    fields: tuple[tuple[str, ColumnType], ...] = ()
    name: str = ""
    declared: bool = False

    @property
    def nested(self) -> bool:
        """Whether values are structs, maps, or lists of such or of lists."""
        inner = self.element
        return self.family in {"struct", "map"} or (
            self.family == "list" and inner is not None and (inner.nested or inner.family == "list")
        )


NULL = ColumnType("null")
TEXT = ColumnType("text")
JSON = ColumnType("json")
BIGINT = ColumnType("int", 64)

_SCALARS = frozenset(
    {"bool", "int", "decimal", "float", "date", "timestamp", "timestamptz", "time", "interval", "uuid", "json", "other"}
)
_FROM_TEXT = frozenset({"json", "uuid", "interval", "other"})
# families whose values all fit
_HOLDS = frozenset({("timestamp", "date"), ("json", "list"), ("json", "struct"), ("json", "map")})
_FLOAT_DIGITS = {32: 24, 64: 53}
_DOUBLE_BITS = 64
_MICROSECONDS = 6
_EXACT_IN_DOUBLE = 2**53


def grown(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    """The type a column must have to hold what it holds and what arrives, exactly.

    Decimals and doubles hold integers as far as their values allow: see :func:`doubtful`.

    Args:
        have: the type of the destination's column.
        incoming: the type of the arriving column.

    Returns:
        ``have`` itself if nothing must change, a wider type, or None if no type holds both.
    """
    if incoming.family == "null":
        return have
    if have.family == incoming.family:
        return _same_family(have, incoming)
    if have.family == "text":
        return have if incoming.family in _SCALARS else None
    if incoming.family == "text":
        return have if have.family in _FROM_TEXT else None
    return _across(have, incoming)


def doubtful(have: ColumnType, incoming: ColumnType) -> bool:
    """Whether :func:`grown` leaves a column as it is that holds the arriving integers only if they are small enough."""
    if incoming.family != "int":
        return False
    if have.family == "decimal":
        return have.size is not None and (_as_decimal(incoming).size or 0) > have.size - have.scale
    return have.family == "float" and not _fits_float(incoming, have)


def with_room(have: ColumnType, largest: int) -> ColumnType | None:
    """The type that a column of decimals or doubles must have to hold an integer as well.

    Args:
        have: the type of the destination's column.
        largest: the integer, without its sign.

    Returns:
        ``have`` itself, more digits, or None if it would round the integer.
    """
    if have.family == "decimal":
        return _grow_decimal(have, ColumnType("decimal", len(str(largest))))
    return have if largest <= _EXACT_IN_DOUBLE else None


def _same_family(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    grow = {
        "int": _grow_int,
        "decimal": _grow_decimal,
        "float": _grow_size,
        "text": _grow_text,
        "timestamp": _grow_fraction,
        "timestamptz": _grow_fraction,
        "time": _grow_fraction,
        "list": _grow_list,
        "struct": _grow_struct,
        "map": _grow_map,
        "other": _keep_named,
    }.get(have.family)
    return grow(have, incoming) if grow else have


def _across(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    pair = (have.family, incoming.family)
    if pair in _HOLDS or pair == ("decimal", "int"):
        return have
    if pair == ("date", "timestamp"):
        return incoming
    if pair == ("int", "decimal"):
        return have if _fits_int(incoming, have) else _grow_decimal(_as_decimal(have), incoming)
    if pair == ("float", "int"):
        return have if _fits_float(incoming, have) or have.size == _DOUBLE_BITS else None
    return incoming if pair == ("int", "float") and _fits_float(have, incoming) else None


def _grow_int(have: ColumnType, incoming: ColumnType) -> ColumnType:
    signed = have.signed or incoming.signed

    def bits(column: ColumnType) -> int:
        size = column.size or 64
        return size * 2 if signed and not column.signed else size

    size = max(bits(have), bits(incoming))
    return have if (size, signed) == (have.size, have.signed) else ColumnType("int", size, signed=signed)


def _grow_decimal(have: ColumnType, incoming: ColumnType) -> ColumnType:
    if have.size is None:
        return have
    if incoming.size is None:
        return incoming
    scale = max(have.scale, incoming.scale)
    size = max(have.size - have.scale, incoming.size - incoming.scale) + scale
    return have if (size, scale) == (have.size, have.scale) else ColumnType("decimal", size, scale)


def _grow_size(have: ColumnType, incoming: ColumnType) -> ColumnType:
    return have if (incoming.size or 0) <= (have.size or 0) else incoming


def _grow_text(have: ColumnType, incoming: ColumnType) -> ColumnType:
    if have.size is None or not incoming.declared:
        return have
    if incoming.size is not None and incoming.size <= have.size:
        return have
    return replace(incoming, name=have.name if have.name == incoming.name else "")


def _grow_fraction(have: ColumnType, incoming: ColumnType) -> ColumnType:
    return have if _fraction(incoming) <= _fraction(have) else replace(have, size=incoming.size)


def _fraction(column: ColumnType) -> int:
    return _MICROSECONDS if column.size is None else column.size


def _grow_list(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    if have.element is None or incoming.element is None:
        return None
    element = _inside(have.element, incoming.element)
    if element is None:
        return None
    return have if element == have.element else replace(have, element=element)


def _grow_map(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    return _grow_list(have, incoming) if have.fields == incoming.fields else None


def _grow_struct(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    arriving = dict(incoming.fields)
    fields = {name: _inside(column, arriving.get(name, NULL)) for name, column in have.fields}
    fields |= {name: column for name, column in arriving.items() if name not in fields}
    merged = tuple((name, column) for name, column in fields.items() if column is not None)
    if len(merged) != len(fields):
        return None
    return have if merged == have.fields else replace(have, fields=merged)


def _inside(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    """As :func:`grown`, for a part of a list or struct: nobody looks at the values there, so the types must do."""
    if not doubtful(have, incoming):
        return grown(have, incoming)
    return _grow_decimal(have, _as_decimal(incoming)) if have.family == "decimal" else None


def _keep_named(have: ColumnType, incoming: ColumnType) -> ColumnType | None:
    return have if have.name == incoming.name else None


def _as_decimal(column: ColumnType) -> ColumnType:
    digits = {8: 3, 16: 5, 32: 10, 64: 19, 128: 38}
    return ColumnType("decimal", digits.get(column.size or 64, 19) + (0 if column.signed else 1))


def _fits_int(decimal: ColumnType, whole: ColumnType) -> bool:
    digits = {16: 4, 32: 9, 64: 18, 128: 38}.get(whole.size or 64, 0)
    return decimal.size is not None and decimal.scale == 0 and decimal.size <= digits


def _fits_float(whole: ColumnType, real: ColumnType) -> bool:
    return (whole.size or 64) <= _FLOAT_DIGITS.get(real.size or 64, 0)
