"""Durations as people write them: ``90``, ``500ms``, ``10s``, ``15m``, ``1h``, ``2d``."""

from __future__ import annotations

import re

from pydantic import WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?")

SECONDS_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)?\s*$"},
        ]
    }
)


def seconds(value: object) -> float:
    """Seconds of a duration; a bare number is seconds.

    Raises:
        ValueError: not a duration.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = f"{value!r} is not a duration. Write seconds, or a number with a unit: 500ms, 10s, 15m, 1h, 2d, 1w."
        raise ValueError(msg)
    return float(match[1]) * _UNITS[match[2] or "s"]
