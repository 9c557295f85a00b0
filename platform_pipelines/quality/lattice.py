"""Arrow types in order of what they can hold: the smallest type that loses nothing.

    int8 < int16 < int32 < int64 < decimal(38, 0), unsigned likewise, and each
    integer below every decimal or float that holds all its values;
    decimals by digits before and after the point, at most 38 in all;
    float < double; date < timestamp; timestamp s < ms < us < ns;
    texts, large texts and dictionaries of texts are one type; null is below all.

What to do about a change is left to ``contract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_PRECISION = 38
#: decimal digits that every value of an integer of so many bits fits in
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
#: bits of an integer that a float of so many bits holds exactly (IEEE 754)
_MANTISSA = {16: 11, 32: 24, 64: 53}
_UNITS = ("s", "ms", "us", "ns")


def same(left: pa.DataType, right: pa.DataType) -> bool:
    """Whether two types hold the same values, however they are laid out in memory."""
    return left.equals(right) or plain(left).equals(plain(right))


def plain(kind: pa.DataType) -> pa.DataType:
    """The type without its layout: one text type, one binary type, instants in UTC."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(kind):
        return plain(kind.value_type)
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind):
        return pa.binary()
    if t.is_timestamp(kind) and kind.tz:
        return pa.timestamp(kind.unit, "UTC")
    if t.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    return kind


def join(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The smallest type that holds all values of both exactly; None if there is none."""
    import pyarrow.types as t

    if same(left, right) or t.is_null(right):
        return left
    if t.is_null(left):
        return right
    return _join_numbers(left, right) or _join_times(left, right) or _join_nested(left, right)


def _join_numbers(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_floating(left) and t.is_floating(right):
        return left if left.bit_width >= right.bit_width else right
    for one, other in ((left, right), (right, left)):
        if t.is_floating(one) and t.is_integer(other):
            return _float_for(one, other)
    if t.is_integer(left) and t.is_integer(right) and (found := _join_integers(left, right)):
        return found
    sizes = [_decimal_size(kind) for kind in (left, right)]
    if None in sizes:
        return None
    whole = max(size[0] for size in sizes if size)
    scale = max(size[1] for size in sizes if size)
    return pa.decimal128(whole + scale, scale) if whole + scale <= _PRECISION else None


def _float_for(real: pa.DataType, integer: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa
    import pyarrow.types as t

    bits = integer.bit_width - (1 if t.is_signed_integer(integer) else 0)
    fitting = (kind for kind in (pa.float16(), pa.float32(), pa.float64()) if kind.bit_width >= real.bit_width)
    return next((kind for kind in fitting if _MANTISSA[kind.bit_width] >= bits), None)


def _join_integers(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_signed_integer(left) == t.is_signed_integer(right):
        return left if left.bit_width >= right.bit_width else right
    signed, unsigned = (left, right) if t.is_signed_integer(left) else (right, left)
    bits = max(signed.bit_width, 2 * unsigned.bit_width)
    return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits)


def _decimal_size(kind: pa.DataType) -> tuple[int, int] | None:
    """Digits before and after the point; None if the type is no exact number."""
    import pyarrow.types as t

    if t.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    return (_DIGITS[kind.bit_width], 0) if t.is_integer(kind) else None


def _join_times(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_timestamp(left) and t.is_timestamp(right) and bool(left.tz) == bool(right.tz):
        unit = max(left.unit, right.unit, key=_UNITS.index)
        return pa.timestamp(unit, left.tz)
    for one, other in ((left, right), (right, left)):
        if t.is_date(one) and t.is_timestamp(other) and not other.tz:
            return other
    return None


def _join_nested(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa
    import pyarrow.types as t

    if (t.is_list(left) or t.is_large_list(left)) and (t.is_list(right) or t.is_large_list(right)):
        inner = join(left.value_type, right.value_type)
        return pa.list_(inner) if inner is not None else None
    if not (t.is_struct(left) and t.is_struct(right)) or [f.name for f in left] != [f.name for f in right]:
        return None
    inners = [(field.name, join(field.type, right.field(field.name).type)) for field in left]
    return pa.struct([(name, kind) for name, kind in inners if kind is not None]) if all(k for _, k in inners) else None
