"""What leaves the process: text and JSON on stdout, notes on stderr, secrets masked in all of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TextIO


def write(text: str) -> None:
    """Print to stdout at once, so that a pipe closed early is noticed here."""
    _put(sys.stdout, text)


def write_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value; it is never wrapped."""
    write(json.dumps(_masked(value), indent=2, ensure_ascii=False, default=_plain, allow_nan=False))


def note(text: str) -> None:
    """Print to stderr, where machines that read stdout do not see it."""
    _put(sys.stderr, text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads ``stream`` and wants more than plain text."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream is not None and stream.isatty() and not plain


def count(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _put(stream: TextIO | None, text: str) -> None:
    if stream is None:  # closed by whoever started us
        return
    stream.write(_hide(text) + "\n")
    stream.flush()


def _masked(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _hide(value)
    if isinstance(value, Mapping):
        return {str(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    if isinstance(value, float) and value - value != 0:  # JSON has no NaN and no infinity
        return str(value)
    return value


def _plain(value: Any) -> str:  # noqa: ANN401 - any value of a row
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f") if isinstance(value, Decimal) else _hide(str(value))


def _hide(text: str) -> str:
    from platform_pipelines.spec.secrets import mask

    return mask(text)
