"""Windows as SQL: which rows a cursor window or a partition asks for.

Bounds are half-open (``low <= field < high``) and exact: a bound finer than the
column's precision is rounded up, which selects the same rows. Where high comes
from (clocks, open transactions) is left to the connectors.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from platform_pipelines.cursor import Cursor, nanoseconds
from platform_pipelines.errors import BoundMismatch, CursorError, InvalidData
from platform_pipelines.model import TimeSlice, ValueSlice

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from platform_pipelines.model import Window
    from platform_pipelines.sql.dialect import Dialect, Family
    from platform_pipelines.sql.types import ColumnType

_NUMBERS = frozenset({"int", "decimal", "float"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})
_FAMILIES: dict[str, Family] = {
    **{name: name for name in ("int", "decimal", "float", "uuid", "bool", "date", "timestamp", "timestamptz")},
    "text": "string",
}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Condition:
    """One bounded column.

    Attributes:
        field: the column.
        family: type of the literals; it compares with the column without a cast.
        low: the column is at least this; numbers in digits, times as ``2026-01-31 13:45:00.123456789``
            (instants in UTC), anything else as text; None: no bound.
        high: the column is below this; None: no bound.
        equal: the column is this; None: no such condition.
        or_null: rows with NULL in the column are wanted too.
    """

    field: str
    family: Family
    low: str | None = None
    high: str | None = None
    equal: str | None = None
    or_null: bool = False


def families(schema: pa.Schema) -> dict[str, Family]:
    """The family of every column of an Arrow schema."""
    import pyarrow.types as t

    from platform_pipelines.cursor import kind_of

    def family(data_type: pa.DataType) -> Family:
        if t.is_boolean(data_type):
            return "bool"
        try:
            return kind_of(data_type)
        except CursorError:
            return "other"

    return {field.name: family(field.type) for field in schema}


def family_of(column: ColumnType) -> Family:
    """How values of a database column compare."""
    return _FAMILIES.get(column.family, "other")


def conditions(window: Window, columns: Mapping[str, Family]) -> tuple[Condition, ...]:
    """The window's bounds in the terms of the columns it bounds.

    Args:
        window: what to read.
        columns: the family of every column of the stream.

    Raises:
        CursorError: the cursor field is missing, or its type and the bound's do not compare.
        InvalidData: the partition field is missing or cannot be compared with the partition.
    """
    found = []
    if not columns:  # an empty file, or an API that answered nothing: no row is left out
        return ()
    if window.field is not None:
        if window.field not in columns:
            raise CursorError(_missing("cursor", window.field, columns))
        found.append(_cursor_condition(window, window.field, columns[window.field]))
    if window.partition is not None:
        name = window.partition.field
        if name not in columns:
            raise InvalidData(_missing("partition", name, columns))
        found.append(_partition_condition(window.partition, columns[name]))
    return tuple(c for c in found if (c.low, c.high, c.equal) != (None, None, None))


def window_sql(window: Window, columns: Mapping[str, Family], dialect: Dialect) -> str:
    """The window as a predicate for ``WHERE``; an empty string if it asks for all rows.

    Args:
        window: what to read.
        columns: the family of every column of the stream.
        dialect: whose SQL to write.

    Raises:
        CursorError: see :func:`conditions`.
        InvalidData: see :func:`conditions`.
    """
    return " and ".join(_render(c, dialect) for c in conditions(window, columns))


def _render(condition: Condition, dialect: Dialect) -> str:
    name = dialect.quote(condition.field)
    compared = name + (dialect.byte_order if condition.family == "string" else "")

    def value(text: str) -> str:
        return dialect.literal(condition.family, _fit(condition.family, text, dialect))

    parts = []
    if condition.low is not None:
        parts.append(f"{compared} >= {value(condition.low)}")
    if condition.high is not None:
        parts.append(f"{compared} < {value(condition.high)}")
    if condition.equal is not None:
        parts.append(f"{name} = {value(condition.equal)}")
    text = " and ".join(parts)
    return f"({text} or {name} is null)" if condition.or_null else text


def _cursor_condition(window: Window, name: str, family: Family) -> Condition:
    literal_family = "timestamp" if family == "date" and _holds_time(window) else family
    zone = window.timezone or "UTC"

    def bound(cursor: Cursor | None) -> str | None:
        return None if cursor is None else _convert(cursor, name, literal_family, zone)

    return Condition(
        name, literal_family, bound(window.low), bound(window.high), or_null=window.on_missing in {"fail", "include"}
    )


def _holds_time(window: Window) -> bool:
    return any(c is not None and c.kind in {"timestamp", "timestamptz"} for c in (window.low, window.high))


def _convert(cursor: Cursor, name: str, family: Family, zone: str) -> str:
    """The cursor's text as a value of the column's family.

    Raises:
        BoundMismatch: the two do not compare.
    """
    kind = cursor.kind
    if kind in _TIMES and family in _TIMES:
        return _convert_time(cursor, family, zone)
    if (kind in _NUMBERS and family in _NUMBERS) or (kind == "string" and family in {"string", "uuid"}):
        return cursor.text
    msg = f"Cursor field {name!r} is of type {family} now, but the bound {cursor.text!r} is {kind}."
    raise BoundMismatch(msg)


def _convert_time(cursor: Cursor, family: Family, zone: str) -> str:
    if cursor.kind == "date":
        midnight = f"{cursor.text} 00:00:00"
        if family == "timestamptz":
            return _to_utc(midnight, zone)
        return cursor.text if family == "date" else midnight
    text = cursor.text.replace("T", " ").removesuffix("Z")
    if (cursor.kind == "timestamptz") == (family == "timestamptz"):
        return text
    return _to_utc(text, zone) if family == "timestamptz" else _to_zone(text, zone)


def _to_zone(utc: str, zone: str) -> str:
    """UTC text as wall-clock text of ``zone``; the fraction is kept to the digit."""
    base, dot, fraction = utc.partition(".")
    instant = dt.datetime.fromisoformat(base).replace(tzinfo=dt.UTC)
    return f"{_plain(instant.astimezone(ZoneInfo(zone)))}{dot}{fraction}"


def _to_utc(wall: str, zone: str) -> str:
    base, dot, fraction = wall.partition(".")
    instant = dt.datetime.fromisoformat(base).replace(tzinfo=ZoneInfo(zone))
    return f"{_plain(instant.astimezone(dt.UTC))}{dot}{fraction}"


def _plain(instant: dt.datetime) -> str:
    return instant.replace(tzinfo=None).isoformat(sep=" ")


def _fit(family: Family, text: str, dialect: Dialect) -> str:
    """Round a timestamp's fraction up to what the dialect can hold, which keeps half-open bounds exact."""
    digits = dialect.fraction_digits if family == "timestamp" else min(6, dialect.fraction_digits)
    base, _, fraction = text.partition(".")
    if family not in {"timestamp", "timestamptz"} or len(fraction) <= digits:
        return text
    unit = 10 ** (9 - digits)
    rounded = -(-nanoseconds(f"{base}.{fraction}") // unit) * unit
    seconds, nanos = divmod(rounded, _SECOND)
    shown = f".{nanos:09d}".rstrip("0") if nanos else ""
    return _plain(_EPOCH + dt.timedelta(seconds=seconds)) + shown


def _partition_condition(part: TimeSlice | ValueSlice, family: Family) -> Condition:
    if isinstance(part, ValueSlice):
        return Condition(part.field, family, equal=_value(part, family))
    if family not in _TIMES:
        msg = (
            f"Partition field {part.field!r} is of type {family}; a partition by time needs a date or a timestamp. "
            "Declare its type at the source (for files: `options: {types: {FIELD: timestamp}}`), or partition by value."
        )
        raise InvalidData(msg)
    zone = dt.UTC if family == "timestamptz" else ZoneInfo(part.timezone)
    low, high = (_plain(instant.astimezone(zone)) for instant in (part.start, part.end))
    return Condition(part.field, "timestamp" if family == "date" else family, low, high)


def _value(part: ValueSlice, family: Family) -> str:
    if family not in _NUMBERS:
        return part.value
    try:
        return Cursor.parse(part.value, family).text  # type: ignore[arg-type]
    except CursorError as error:
        msg = f"Partition value {part.value!r} does not fit field {part.field!r} of type {family}. Mend `values`."
        raise InvalidData(msg) from error


def _missing(role: str, name: str, columns: Mapping[str, Family]) -> str:
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"The {role} field {name!r} is not a column of the stream. Columns: {', '.join(columns)}.{hint}"
