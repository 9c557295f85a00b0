"""Typed cursor values: what a watermark is made of, at full precision.

A cursor keeps its type and its exact text, so that nanoseconds, decimals and
64-bit integers survive JSON. Where values come from (Arrow, YAML) and how they
are compared is decided here; how they look in SQL is left to ``sql``.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.errors import CursorError

if TYPE_CHECKING:
    import pyarrow as pa

CursorKind = Literal["int", "decimal", "float", "string", "date", "timestamp", "timestamptz"]

_TIMESTAMP = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NANOS = 1_000_000_000
#: nanoseconds in an Arrow time unit
NANOS_PER_UNIT = {"s": _NANOS, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True)
class Cursor:
    """One cursor value.

    Attributes:
        kind: its type; ``timestamptz`` is an instant, ``timestamp`` has no zone.
        text: canonical text: integers and decimals in digits, dates and
            timestamps in ISO 8601 (instants in UTC, ending in ``Z``) with as
            many fraction digits as are not zero, up to nine.
    """

    kind: CursorKind
    text: str

    @property
    def order(self) -> Any:  # noqa: ANN401 - int, Decimal, float, str or date, alike within one kind
        """A value that compares as the source would compare the cursor."""
        if self.kind in {"timestamp", "timestamptz"}:
            return nanoseconds(self.text)
        if self.kind == "int":
            return int(self.text)
        if self.kind == "decimal":
            return Decimal(self.text)
        if self.kind == "float":
            return float(self.text)
        return self.text

    def at_least(self, other: Cursor) -> bool:
        """Whether this value is not below ``other``.

        Raises:
            CursorError: the two are of different kinds.
        """
        if self.kind != other.kind:
            msg = (
                f"Cursor values of different types cannot be compared: {self.text!r} is {self.kind}, "
                f"{other.text!r} is {other.kind}. If the source changed the type of its cursor field, "
                "start over with `pipelines run NAME --full-refresh`."
            )
            raise CursorError(msg)
        return bool(self.order >= other.order)

    def minus(self, seconds: float) -> Cursor:
        """This value less ``seconds`` (for ``lag``); only instants, timestamps, dates and numbers can.

        Raises:
            CursorError: a string has no distance.
        """
        if not seconds:
            return self
        if self.kind in {"timestamp", "timestamptz"}:
            shifted = nanoseconds(self.text) - int(seconds * _NANOS)
            return Cursor(self.kind, _format_nanoseconds(shifted, zoned=self.kind == "timestamptz"))
        if self.kind == "date":
            days = -(-int(seconds) // 86_400)
            return Cursor("date", (dt.date.fromisoformat(self.text) - dt.timedelta(days=days)).isoformat())
        if self.kind in {"int", "decimal", "float"}:
            return Cursor(self.kind, str(self.order - type(self.order)(seconds)))
        msg = f"`lag` needs a time or a number as cursor; {self.text!r} is a string. Remove `cursor.lag`."
        raise CursorError(msg)

    def to_json(self) -> dict[str, str]:
        """The typed form kept in manifests."""
        return {"type": self.kind, "value": self.text}

    def plain(self) -> int | str:
        """The form shown to people and in ``--json``: a number for integers, else text."""
        return int(self.text) if self.kind == "int" else self.text

    @classmethod
    def from_json(cls, value: dict[str, str]) -> Cursor:
        """The inverse of :meth:`to_json`."""
        return cls(value["type"], value["value"])  # type: ignore[arg-type]

    @classmethod
    def from_scalar(cls, scalar: pa.Scalar[Any]) -> Cursor | None:
        """The cursor of an Arrow scalar; None for NULL.

        Raises:
            CursorError: the type has no order that a watermark could follow, or the value is infinite.
        """
        kind = kind_of(scalar.type)
        if not scalar.is_valid:
            return None
        try:
            return cls._of(scalar, kind)
        except (OverflowError, ValueError) as error:
            msg = (
                "A cursor value lies beyond the years 1 to 9999 (such as `infinity`), so no watermark can follow it. "
                "Leave such rows out, for example with `source.options.where`, or mend them."
            )
            raise CursorError(msg) from error

    @classmethod
    def _of(cls, scalar: Any, kind: CursorKind) -> Cursor:  # noqa: ANN401 - a scalar of the kind's class
        if kind in {"timestamp", "timestamptz"}:
            nanos = scalar.value * NANOS_PER_UNIT[scalar.type.unit]
            return cls(kind, _format_nanoseconds(nanos, zoned=kind == "timestamptz"))
        if kind == "date":
            return cls(kind, scalar.as_py().isoformat())
        if kind == "float":
            return cls(kind, repr(scalar.as_py()))
        return cls(kind, str(scalar.as_py()))

    @classmethod
    def parse(cls, text: str, kind: CursorKind) -> Cursor:
        """A cursor from text that a person wrote (``initial``, ``--from``).

        Raises:
            CursorError: the text is not a value of ``kind``.
        """
        text = text.strip()
        try:
            return cls(kind, _canonical(text, kind))
        except (ValueError, ArithmeticError) as error:
            msg = f"{text!r} is not a value of the cursor's type {kind}. Write it like {_EXAMPLES[kind]}."
            raise CursorError(msg) from error


_EXAMPLES: dict[CursorKind, str] = {
    "int": "42",
    "decimal": "42.50",
    "float": "42.5",
    "string": "abc",
    "date": "2026-01-31",
    "timestamp": "2026-01-31T13:45:00",
    "timestamptz": "2026-01-31T13:45:00Z",
}


def kind_of(data_type: pa.DataType) -> CursorKind:
    """The cursor kind of an Arrow type.

    Raises:
        CursorError: the type has no order that a watermark could follow.
    """
    import pyarrow.types as t

    if t.is_timestamp(data_type):
        return "timestamptz" if data_type.tz else "timestamp"
    checks: tuple[tuple[Any, CursorKind], ...] = (
        (t.is_integer, "int"),
        (t.is_decimal, "decimal"),
        (t.is_floating, "float"),
        (t.is_string, "string"),
        (t.is_large_string, "string"),
        (t.is_date, "date"),
    )
    for check, kind in checks:
        if check(data_type):
            return kind
    msg = f"A column of type {data_type} cannot be a cursor. Allowed: integers, decimals, dates, timestamps, strings."
    raise CursorError(msg)


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970-01-01 of an ISO 8601 timestamp; one without zone is taken as UTC.

    Raises:
        ValueError: not a timestamp.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        msg = f"not an ISO 8601 timestamp: {text!r}"
        raise ValueError(msg)
    zone = (match["zone"] or "Z").replace("Z", "+00:00")
    base = dt.datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}")
    delta = base - _EPOCH
    fraction = int((match["fraction"] or "0").ljust(9, "0"))
    return (delta.days * 86_400 + delta.seconds) * _NANOS + fraction


def _format_nanoseconds(nanos: int, *, zoned: bool) -> str:
    seconds, fraction = divmod(nanos, _NANOS)
    base = _EPOCH + dt.timedelta(seconds=seconds)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{base:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + digits + ("Z" if zoned else "")


def _canonical(text: str, kind: CursorKind) -> str:
    if kind in {"timestamp", "timestamptz"}:
        full = f"{text}T00:00:00" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
        match = _TIMESTAMP.fullmatch(full)
        if kind == "timestamp" and match and match["zone"]:
            msg = "a timestamp without zone must not carry one"
            raise ValueError(msg)
        return _format_nanoseconds(nanoseconds(full), zoned=kind == "timestamptz")
    if kind == "date":
        return dt.date.fromisoformat(text).isoformat()
    if kind == "int":
        return str(int(text))
    if kind == "decimal":
        return str(Decimal(text))
    if kind == "float":
        return repr(float(text))
    return text
