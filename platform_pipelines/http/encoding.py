"""Values that JSON has no word for, as a request's body writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def fallback(value: Any) -> Any:  # noqa: ANN401 - orjson's hook takes anything
    """What orjson writes instead of a value it does not know: decimals as numbers, to the digit.

    Raises:
        TypeError: the value has no form in JSON.
    """
    import orjson

    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}".encode())
    if isinstance(value, bytes):
        return value.decode("ascii")
    msg = f"a {type(value).__name__} has no form in JSON"
    raise TypeError(msg)
