"""Which JSON texts hold numbers that a machine's types would round, or are nested too deeply for fast parsers.

Parsers that are fast read fractions as doubles. Whether that is exact for a
whole text is decided here, in one pass over its bytes; what is done about it is
left to ``json_page``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: digits that every double and every 64-bit integer holds
_SAFE = 15
_LONG = b"0" * (_SAFE + 1)
#: digits, points and signs become 0, all else becomes a blank
_DIGITS = bytes(0x30 if chr(byte) in "0123456789." else 0x20 for byte in range(256))
_NUMBER = re.compile(rb"(?<![\w.\"-])-?[0-9][0-9.]{15,}(?:[eE][+-]?[0-9]+)?(?![\w\"])")
_BIGGEST = 2**63
#: openings become 1, closings -1
_STEPS = bytes(1 if chr(byte) in "[{" else 255 for byte in range(256))
_NO_BRACKETS = bytes(byte for byte in range(256) if chr(byte) not in "[]{}")
_DEEPEST = 500
#: integers up to here are doubles without loss
DOUBLE_INTEGERS = 2**53


def long_numbers(content: bytes) -> list[bytes]:
    """The numbers of a JSON text that have more digits than a double surely keeps; some may be inside of strings."""
    if content.translate(_DIGITS).find(_LONG) < 0:
        return []
    return _NUMBER.findall(content)


def is_deep(content: bytes) -> bool:
    """Whether a JSON text may be nested deeper than parsers that recurse without a limit can bear."""
    import pyarrow as pa
    import pyarrow.compute as pc

    brackets = content.translate(_STEPS, _NO_BRACKETS)
    if len(brackets) <= _DEEPEST:
        return False
    steps = pa.Array.from_buffers(pa.int8(), len(brackets), [None, pa.py_buffer(brackets)])
    deepest: int = pc.max(pc.cumulative_sum(steps.cast(pa.int64()))).as_py()
    return deepest > _DEEPEST


def all_doubles(numbers: Iterable[bytes]) -> bool:
    """Whether each of these is a fraction that a double gives back to the digit."""
    return all(b"." in number and as_double(number.decode()) for number in numbers)


def all_machine(numbers: Iterable[bytes]) -> bool:
    """Whether each of these is a 64-bit integer or a fraction that a double gives back."""
    return all(
        as_double(text) if "." in text or "e" in text.lower() else abs(int(text)) < _BIGGEST
        for text in (number.decode() for number in numbers)
    )


def as_double(text: str) -> bool:
    """Whether a double gives this number back: it is the shortest way to write one, zeros at its end aside."""
    value = float(text)
    return abs(value) != float("inf") and Decimal(repr(value)) == Decimal(text)
