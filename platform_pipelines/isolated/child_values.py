"""Columns in buffers to lists of Python values, and back; runs in the child.

A column is ``{name, kind, nulls}`` and its buffers, in a layout that takes no
work per value where Python can do without. Kinds: int, float, bool, text, bytes,
decimal and bigint (as texts), date (days), datetime, instant and time
(microseconds), json (tagged texts).
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from array import array
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.isolated import tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NAIVE = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the epoch of times without a zone
_INSTANT = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = dt.date(1970, 1, 1).toordinal()
_DAY_MICROSECONDS = 86_400_000_000


class Unfit(Exception):
    """Values that no column can hold: ``{row: reason}``."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__(str(reasons))
        self.reasons = reasons


def decode(column: dict[str, Any], buffers: list[bytes]) -> list[Any]:
    """The values of a column; NULL is None."""
    kind = column["kind"]
    values: list[Any] = list(_DECODE[kind](buffers))
    for row, text in column.get("texts", ()):  # what Python's calendar cannot hold
        values[row] = text
    if column["nulls"]:
        values = [None if null else value for value, null in zip(values, buffers[-1], strict=True)]
    return values


def encode(values: list[Any]) -> tuple[dict[str, Any], list[bytes]]:
    """A column of these values: its header without a name, and its buffers.

    Raises:
        Unfit: some of the values no column can hold.
    """
    kinds = set(map(type, values))
    nulls = type(None) in kinds
    kinds.discard(type(None))
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None and not kinds:
        return {"kind": "null", "nulls": False}, []
    fill = _fill(kind, values)
    filled = [fill if value is None else value for value in values] if nulls else values
    mask = [bytes(map(operator.is_, values, itertools.repeat(None)))] if nulls else []
    try:
        name, buffers = _ENCODE.get(kind, _json)(filled)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RecursionError):
        name, buffers = _carefully(filled)
    return {"kind": name, "nulls": nulls}, [*buffers, *mask]


def texts(buffers: list[bytes]) -> list[str]:
    """Texts from their lengths in code points and one UTF-8 buffer."""
    whole = buffers[1].decode()
    ends = list(itertools.accumulate(array("q", buffers[0])))
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _fill(kind: type | None, values: list[Any]) -> Any:  # noqa: ANN401 - any value
    """What stands in the buffers where a value is NULL: something small of the same kind."""
    if kind in {str, bytes}:
        return kind()
    return next(value for value in values if value is not None) if kind in _ENCODE else None


def _carefully(values: list[Any]) -> tuple[str, list[bytes]]:
    """Value by value, to find those that do not fit; the rest may still be written as JSON."""
    reasons = {}
    for row, value in enumerate(values):
        try:
            tagged.dumps(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            reasons[row] = "is no valid Unicode text" if isinstance(error, UnicodeError) else str(error)
    if reasons:
        raise Unfit(reasons)
    return _json(values)


def _json(values: list[Any]) -> tuple[str, list[bytes]]:
    return "json", _lengths([tagged.dumps(value) for value in values])


def _lengths(values: list[str]) -> list[bytes]:
    """Lengths in bytes and one UTF-8 buffer."""
    whole = "".join(values)
    if whole.isascii():
        return [array("q", map(len, values)).tobytes(), whole.encode()]
    parts = [value.encode() for value in values]
    return [array("q", map(len, parts)).tobytes(), b"".join(parts)]


def _bytes(buffers: list[bytes]) -> list[bytes]:
    ends = list(itertools.accumulate(array("q", buffers[0])))
    return [buffers[1][start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _datetimes(values: list[dt.datetime]) -> tuple[str, list[bytes]]:
    naive = {value.utcoffset() is None for value in values}
    if len(naive) > 1:
        return _json(values)
    epoch = _NAIVE if True in naive else _INSTANT
    spans = [value - epoch for value in values]
    micros = [span.days * _DAY_MICROSECONDS + span.seconds * 1_000_000 + span.microseconds for span in spans]
    return ("datetime" if True in naive else "instant"), [array("q", micros).tobytes()]


def _time(value: dt.time) -> int:
    if value.tzinfo is not None:
        raise TypeError  # said in words by `tagged`
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def _times(values: list[dt.time]) -> tuple[str, list[bytes]]:
    return "time", [array("q", map(_time, values)).tobytes()]


def _decimals(values: list[Decimal]) -> tuple[str, list[bytes]]:
    return "decimal", _lengths(list(map(str, values)))


def _packed(code: str, name: str) -> Callable[[list[Any]], tuple[str, list[bytes]]]:
    return lambda values: (name, [array(code, values).tobytes()])


def _integers(values: list[int]) -> tuple[str, list[bytes]]:
    try:
        return "int", [array("q", values).tobytes()]
    except OverflowError:
        return "bigint", _lengths(list(map(str, values)))


def _numbers(code: str) -> Callable[[list[bytes]], Iterable[Any]]:
    return lambda buffers: array(code, buffers[0])


def _since(epoch: dt.datetime) -> Callable[[list[bytes]], Iterable[Any]]:
    span = dt.timedelta
    return lambda buffers: [epoch + span(0, 0, micros) for micros in array("q", buffers[0])]


_DECODE: dict[str, Callable[[list[bytes]], Iterable[Any]]] = {
    "int": _numbers("q"),
    "float": _numbers("d"),
    "bool": lambda buffers: map(bool, buffers[0]),
    "text": texts,
    "bytes": _bytes,
    "decimal": lambda buffers: map(Decimal, texts(buffers)),
    "bigint": lambda buffers: map(int, texts(buffers)),
    "date": lambda buffers: [dt.date.fromordinal(_DAY + days) for days in array("q", buffers[0])],
    "datetime": _since(_NAIVE),
    "instant": _since(_INSTANT),
    "time": lambda buffers: [(_NAIVE + dt.timedelta(0, 0, micros)).time() for micros in array("q", buffers[0])],
    "json": lambda buffers: map(tagged.loads, texts(buffers)),
}
_ENCODE: dict[type, Callable[[list[Any]], tuple[str, list[bytes]]]] = {
    int: _integers,
    float: _packed("d", "float"),
    bool: lambda values: ("bool", [bytes(values)]),
    str: lambda values: ("text", _lengths(values)),
    bytes: lambda values: ("bytes", [array("q", map(len, values)).tobytes(), b"".join(values)]),
    Decimal: _decimals,
    dt.date: lambda values: ("date", [array("q", [value.toordinal() - _DAY for value in values]).tobytes()]),
    dt.datetime: _datetimes,
    dt.time: _times,
}
