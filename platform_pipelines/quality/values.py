"""Bounds and accepted values of rules, as values of a column's type.

Used for the SQL and for the pandera form of a rule alike, so both compare the
same values. A value that no cell of the column's type can equal is left out.
"""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.duck import literal
from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from platform_pipelines.relations import Family

#: white space around a number in a text
SPACE = " \t\n\r\f"
#: a number as text: what a text column must hold under a numeric range; means the same in RE2 and Python
NUMBER = rf"[{SPACE}]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[{SPACE}]*"
_TIMES = {"date", "timestamp", "timestamptz"}
#: powers of ten beyond which no integer or decimal column reaches, and the working precision that takes them
_REACH, _DIGITS = 60, 200


def text_of(value: Any) -> str:  # noqa: ANN401 - any YAML scalar
    """A YAML scalar as the text a text column would hold."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number_of(value: Any) -> Decimal | None:  # noqa: ANN401 - any YAML scalar
    """A YAML scalar as an exact number; None if it is none. 0.1 means one tenth, as written."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def moment_of(value: Any) -> dt.datetime | None:  # noqa: ANN401 - any YAML scalar
    """A YAML scalar as a time, in UTC where it has no zone; None if it is none."""
    try:
        moment = dt.datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def accepted(values: Iterable[Any], kind: Family, scale: int) -> list[Any]:
    """The accepted values as values of the column: texts, numbers, booleans or UTC times.

    Args:
        values: as written in the YAML.
        kind: what the column holds.
        scale: digits after the point of a decimal column; 0 for integers.
    """
    if kind == "bool":
        known = {"true": True, "false": False}
        return [known[text] for text in map(text_of, values) if text in known]
    if kind in {"integer", "decimal"}:
        numbers = [number for number in map(number_of, values) if number is not None and number.is_finite()]
        return [number for number in numbers if _fits(number, scale)]
    if kind == "float":
        return [float(number) for number in map(number_of, values) if number is not None]
    if kind in _TIMES:
        return [moment for moment in map(moment_of, values) if moment is not None]
    return [text_of(value) for value in values if value is not None]


def bound(rule: str, value: Any, kind: Family, scale: int, end: Literal["min", "max"]) -> Any:  # noqa: ANN401 - as the column
    """A bound of a range as a value of the column: number, float, time or text.

    A bound that an exact number cannot reach is moved inwards to the next value
    that it can: ``min: 0.5`` on integers is 1. A number bounds texts as a float.

    Raises:
        SpecError: a column of this type has no such bound.
    """
    number = number_of(value)
    if kind in {"integer", "decimal"} and number is not None:
        reachable = number.is_finite() and number.adjusted() < _REACH
        return _inwards(number, scale, end) if reachable else float(number)
    if (kind == "float" and number is not None) or (kind == "text" and not isinstance(value, str)):
        return float(value)
    moment = moment_of(value) if isinstance(value, str) else None
    if kind in _TIMES and moment is not None:
        return moment
    if kind == "text":
        return value
    msg = (
        f"Rule `{rule}`: {value!r} cannot bound a column of {kind} values. "
        f"Change `{end}`, or convert the column by `map`."
    )
    raise SpecError(msg)


def sql(value: Any, kind: Family) -> str:  # noqa: ANN401 - what accepted() and bound() yield
    """A value of a column as an SQL literal."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return f"cast({literal(repr(value))} as double)"
    if isinstance(value, dt.datetime):
        naive = value.replace(tzinfo=None).isoformat(sep=" ")
        return f"timestamptz '{naive}+00'" if kind == "timestamptz" else f"timestamp '{naive}'"
    return literal(value)


def shown(low: Any, high: Any) -> str:  # noqa: ANN401 - any YAML scalar
    """A range in words."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"


def _fits(number: Decimal, scale: int) -> bool:
    with localcontext(prec=_DIGITS):
        return abs(number.adjusted()) < _REACH and number == number.quantize(Decimal(1).scaleb(-scale))


def _inwards(number: Decimal, scale: int, end: Literal["min", "max"]) -> Decimal:
    with localcontext(prec=_DIGITS):
        rounding = ROUND_CEILING if end == "min" else ROUND_FLOOR
        return number.quantize(Decimal(1).scaleb(-scale), rounding=rounding)
