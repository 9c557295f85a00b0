"""What the values of a column were, over all pages: enough to choose its type at the end.

Choosing is left to ``json_types``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.formats.json_columns import KIND
from platform_pipelines.formats.json_numbers import DOUBLE_INTEGERS

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE = 3
#: the times that text is tried for, narrowest first, and what a first look at it must show
_TIMES = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?"),
    "timestamptz": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)"),
}
#: digits before and after the point that a decimal may have in all
MOST_DIGITS = 38


def time_types() -> dict[str, pa.DataType]:
    """The Arrow type of each time."""
    import pyarrow as pa

    return {"date": pa.date32(), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC")}


@dataclass
class Seen:
    """What was seen of one column.

    Attributes:
        kinds: of its values: bool, int, double, text, number, json, nested.
        times: the times that all of its text is.
        big: whether an integer is no double.
        whole: most digits before the point, of numbers kept as text.
        scale: most digits after it; more than a decimal has if an exponent makes that unknown.
        nested: the type of its structures.
    """

    kinds: set[str] = field(default_factory=set)
    times: set[str] = field(default_factory=lambda: {"date", "timestamp", "timestamptz"})
    big: bool = False
    whole: int = 0
    scale: int = 0
    nested: pa.DataType | None = None

    def look(self, column: pa.Array[Any] | pa.ChunkedArray[Any], described: pa.Field[Any]) -> None:
        """Take in the values of a page.

        Raises:
            pyarrow.ArrowTypeError: its structures have no type in common with those seen before.
        """
        if column.null_count == len(column):
            return
        kind = kind_of(described)
        self.kinds.add(kind)
        if kind == "text" and self.times:
            self.times = {name for name in self.times if is_time(column, name)}
        elif kind == "int":
            self.big = self.big or _beyond_doubles(column)
        elif kind == "number":
            self._measure(column)
        elif kind == "nested":
            self.nested = _united(self.nested, described.type)

    def _measure(self, column: pa.Array[Any] | pa.ChunkedArray[Any]) -> None:
        for value in column.drop_null().to_pylist():
            _, digits, exponent = Decimal(str(value)).as_tuple()
            scale = max(0, -int(exponent))
            self.scale = max(self.scale, scale - _zeros_at_end(digits, scale))
            self.whole = max(self.whole, len(digits) + max(0, int(exponent)) - scale)


def _zeros_at_end(digits: tuple[int, ...], scale: int) -> int:
    """How many digits after the point say nothing; a double did not keep them either."""
    if not any(digits):
        return scale
    filled = max(place for place, digit in enumerate(digits) if digit)
    return min(scale, len(digits) - 1 - filled)


def kind_of(described: pa.Field[Any]) -> str:
    """The kind of a page's column."""
    import pyarrow.types as t

    if described.metadata and KIND in described.metadata:
        return described.metadata[KIND].decode()
    if t.is_boolean(described.type):
        return "bool"
    if t.is_integer(described.type):
        return "int"
    if t.is_floating(described.type):
        return "double"
    return "nested" if t.is_nested(described.type) else "text"


def is_time(column: pa.Array[Any] | pa.ChunkedArray[Any], name: str) -> bool:
    """Whether each text of a column is such a time, to the digit."""
    import pyarrow as pa

    filled = column.drop_null()
    first = filled.slice(0, _SAMPLE).to_pylist()
    if not all(_TIMES[name].fullmatch(str(text)) for text in first):
        return False
    try:
        filled.cast(time_types()[name])
    except pa.ArrowInvalid:
        return False
    return name == "date" or not _has_days(filled)


def _has_days(texts: Any) -> bool:  # noqa: ANN401 - an array of text
    """Whether one of these is a day without a time, which Arrow would take for midnight."""
    import pyarrow.compute as pc

    return bool(pc.min(pc.utf8_length(texts)).as_py() <= len("2026-01-31"))


def _beyond_doubles(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> bool:
    import pyarrow.compute as pc

    extremes = pc.min_max(column)
    return bool(extremes["max"].as_py() > DOUBLE_INTEGERS or extremes["min"].as_py() < -DOUBLE_INTEGERS)


def _united(known: pa.DataType | None, found: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if known is None:
        return found
    schemas = [pa.schema([("x", known)]), pa.schema([("x", found)])]
    united: pa.DataType = pa.unify_schemas(schemas, promote_options="permissive").field("x").type
    return united
