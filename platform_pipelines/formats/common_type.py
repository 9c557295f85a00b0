"""Whether a type that Arrow offers for two holds every value of both, which Arrow does not mind.

Asking Arrow for it is left to ``versions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

#: digits of the largest whole number, by bits
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
#: bits of whole numbers that floats hold, by the bits of the float
_WHOLE = {16: 11, 32: 24, 64: 53}
_MOST_DIGITS = 38


def exact(both: pa.DataType, one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type, wider where it must be to hold every value of ``one`` and ``other``; None if it cannot be.

    Types other than numbers, text and bytes are taken as they are.
    """
    import pyarrow as pa
    import pyarrow.types as t

    parts = (one, other)
    if {t.is_uint64(part) for part in parts} == {True, False} and t.is_int64(both):
        return pa.decimal128(20, 0)
    if t.is_floating(both):
        return both if all(_in_float(part, both) for part in parts) else None
    if t.is_decimal(both):
        digits = max(_digits(part) for part in parts) + both.scale
        return pa.decimal128(max(digits, both.precision), both.scale) if digits <= _MOST_DIGITS else None
    textual = {_is_bytes(part) for part in parts if not t.is_null(part)}
    return None if _is_bytes(both) and len(textual) > 1 else both


def _in_float(part: pa.DataType, both: pa.DataType) -> bool:
    import pyarrow.types as t

    if t.is_integer(part):
        return part.bit_width - t.is_signed_integer(part) <= _WHOLE[both.bit_width]
    return not t.is_decimal(part)


def _digits(part: pa.DataType) -> int:
    """Digits before the point."""
    import pyarrow.types as t

    if t.is_decimal(part):
        return int(part.precision) - int(part.scale)
    return _DIGITS[part.bit_width] + int(t.is_uint64(part)) if t.is_integer(part) else 0


def _is_bytes(part: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_binary(part) or t.is_large_binary(part)
