"""Nested values as JSON text that loses nothing: exact decimals, dates, times and bytes are tagged.

Both sides use it. A tagged value is ``{TAG: [kind, text]}``; integers of any size
and floats, NaN and infinities included, are JSON numbers as Python writes them.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

TAG = "\0type"


def dumps(value: Any) -> str:  # noqa: ANN401 - any value of a record
    """The text of a value.

    Raises:
        TypeError: it holds an object that no column can hold.
        ValueError: it holds itself.
    """
    return _ENCODER.encode(value)


def loads(text: str) -> Any:  # noqa: ANN401 - any value of a record
    """The value of a text.

    Raises:
        ValueError: the text is not of this format.
    """
    try:
        return json.loads(text, object_hook=_untag)
    except (ArithmeticError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _tag(value: Any) -> Any:  # noqa: ANN401 - any object
    if isinstance(value, Decimal):
        return {TAG: ["decimal", str(value)]}
    if isinstance(value, dt.time) and value.tzinfo is not None:
        msg = "is or holds a time with a zone, which no column can hold"
        raise TypeError(msg)
    if isinstance(value, dt.date | dt.time):  # a datetime is a date
        return {TAG: [type(value).__name__, value.isoformat()]}
    if isinstance(value, bytes | bytearray):
        return {TAG: ["bytes", value.hex()]}
    if (type(value).__module__, type(value).__name__) == ("uuid", "UUID"):  # importing uuid would cost every child
        return str(value)
    msg = f"is or holds a {type(value).__name__}, which no column can hold"
    raise TypeError(msg)


def _untag(value: dict[str, Any]) -> Any:  # noqa: ANN401 - any value
    if len(value) != 1 or TAG not in value:
        return value
    kind, text = value[TAG]
    return _READ[kind](text)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_tag)
_READ: dict[str, Any] = {
    "decimal": Decimal,
    "date": dt.date.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "time": dt.time.fromisoformat,
    "bytes": bytes.fromhex,
}
