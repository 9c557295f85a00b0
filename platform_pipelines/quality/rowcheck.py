"""Row rules in plain Python over pandas, value by value: the measure of the DuckDB form.

What schema they go into is left to ``schema``. Every function returns True where
a row passes; NULL passes all rules but ``required``.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck, sqlguard
from platform_pipelines.quality import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import pyarrow as pa

    from platform_pipelines.relations import Family
    from platform_pipelines.spec.rules import Accepted, Condition, Range, RuleSpec, Unique

_TIMES = {"date", "timestamp", "timestamptz"}
_NUMBERS = {"integer", "decimal", "float"}


def passes(rule: RuleSpec, series: pd.Series[Any], known: Sequence[Any] = ()) -> pd.Series[bool]:
    """The verdict of a rule on each value of one column.

    Args:
        rule: required, regex, range, accepted or foreign_key.
        series: the column.
        known: the values that exist, for a foreign key.
    """
    import pandas as pd
    import pyarrow as pa

    array = _arrow(series)
    if rule.type == "required":
        verdicts = [value is not None for value in array.to_pylist()]
        return pd.Series(verdicts, index=series.index, dtype=bool)
    if rule.type == "regex":
        test = _regex(rule.pattern)
    elif rule.type == "range":
        test = _range(rule, array.type)
    elif rule.type == "accepted":
        test = _accepted(rule, array.type)
    else:
        test = _known(pa.array(known), array.type)
    return pd.Series([value is None or test(value) for value in array.to_pylist()], index=series.index, dtype=bool)


def unique(rule: Unique, frame: pd.DataFrame) -> pd.Series[bool]:
    """True for the first row of equal fields, and for rows with a NULL among them."""
    import pandas as pd

    seen: set[tuple[Any, ...]] = set()
    verdicts = []
    for key in zip(*(map(_hashable, python_values(frame[name])) for name in rule.fields), strict=True):
        verdicts.append(None in key or key not in seen)
        seen.add(key)
    return pd.Series(verdicts, index=frame.index, dtype=bool)


def condition(rule: Condition, frame: pd.DataFrame) -> pd.Series[bool]:
    """The verdict of a SQL expression on each row; NULL passes."""
    import pandas as pd
    import pyarrow as pa

    with duck.session() as connection:
        expression = sqlguard.check_expression(connection, rule.sql).sql
        connection.register("frame", pa.Table.from_pandas(frame, preserve_index=False))
        rows = connection.execute(f"select coalesce({expression}, true) from frame as input").fetchall()
    return pd.Series([bool(row[0]) for row in rows], index=frame.index, dtype=bool)


def python_values(series: pd.Series[Any]) -> list[Any]:
    """The values of a column as Python has them; NULL is None."""
    return _arrow(series).to_pylist()


def moment(value: Any) -> dt.datetime | None:  # noqa: ANN401 - any value of a column of times
    """A date or timestamp as an instant; what has no zone is taken as UTC."""
    if value is None:
        return None
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def _arrow(series: pd.Series[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    array: Any = pa.array(series, from_pandas=True)
    combined: pa.Array[Any] = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return combined


def _family(kind: pa.DataType) -> tuple[Family, int]:
    """The family of an Arrow type, and its digits after the point."""
    import pyarrow.types as t

    if t.is_decimal(kind):
        return "decimal", int(kind.scale)
    if t.is_timestamp(kind):
        return ("timestamptz" if kind.tz else "timestamp"), 0
    checks: tuple[tuple[Callable[[pa.DataType], bool], Family], ...] = (
        (t.is_boolean, "bool"),
        (t.is_integer, "integer"),
        (t.is_floating, "float"),
        (t.is_date, "date"),
    )
    return next((name for check, name in checks if check(kind)), "text"), 0


def _regex(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.search(_text(value)) is not None


def _range(rule: Range, kind: pa.DataType) -> Callable[[Any], bool]:
    family, scale = _family(kind)
    low = None if rule.min is None else values.bound(rule.id, rule.min, family, scale, "min")
    high = None if rule.max is None else values.bound(rule.id, rule.max, family, scale, "max")
    number = family == "text" and not isinstance(low if low is not None else high, str)

    def test(value: Any) -> bool:  # noqa: ANN401 - any value of the column
        if number:
            if re.fullmatch(values.NUMBER, value) is None or not math.isfinite(float(value)):
                return False
            value = float(value)
        if isinstance(value, float) and math.isnan(value):
            return False
        value = moment(value) if family in _TIMES else value
        return (low is None or value >= low) and (high is None or value <= high)

    return test


def _accepted(rule: Accepted, kind: pa.DataType) -> Callable[[Any], bool]:
    family, scale = _family(kind)
    allowed = set(values.accepted(rule.values, family, scale))
    if family in _TIMES:
        return lambda value: moment(value) in allowed
    return lambda value: value in allowed


def _known(known: pa.Array[Any], kind: pa.DataType) -> Callable[[Any], bool]:
    ours, theirs = _family(kind)[0], _family(known.type)[0]
    if {ours, theirs} <= _TIMES:
        change: Callable[[Any], Any] = moment
    elif {ours, theirs} <= _NUMBERS and "float" in {ours, theirs}:
        change = float
    elif ours == theirs or {ours, theirs} <= _NUMBERS:
        change = _hashable
    else:
        change = _text
    existing = {change(value) for value in known.to_pylist() if value is not None}
    return lambda value: change(value) in existing


def _text(value: Any) -> str:  # noqa: ANN401 - any value of a column
    """A value as DuckDB casts it to text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        text = value.isoformat(sep=" ")
        return text.removesuffix(":00") if value.tzinfo else text
    return values.text_of(value)


def _hashable(value: Any) -> Any:  # noqa: ANN401 - any value of a column
    """A value that equals what SQL holds equal: NaN equals NaN."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value
