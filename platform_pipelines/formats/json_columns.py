"""Records that were decoded to Python objects, as Arrow columns in the types that JSON has.

    null · boolean · 64-bit integer · double · text · number (text, where no
    machine type holds the digits) · json (text, for objects, arrays and
    columns of several kinds) · structures, where those are asked for

A column's kind beyond its Arrow type stands in its field's metadata. Dates and
declared types are left to ``page_types``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.formats.json_numbers import DOUBLE_INTEGERS, as_double
from platform_pipelines.formats.json_records import Number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

Nested = Literal["json", "struct"]
#: field metadata of text that holds numbers, and of text that holds JSON
KIND = b"pipelines_kind"
NUMBER = {KIND: b"number"}
JSON = {KIND: b"json"}
_BIGGEST = 2**63


def columns(rows: Sequence[dict[str, Any]], nested: Nested, text: Callable[[Any], str]) -> pa.RecordBatch:
    """One batch of these records; a key that a record lacks is NULL.

    Args:
        rows: decoded by orjson, or with ``json_records.Number`` for every number.
        text: writes a decoded value as JSON.
        nested: whether objects and arrays become structures where they all have one shape.
    """
    import pyarrow as pa

    names = dict.fromkeys(itertools.chain.from_iterable(rows))
    found = [_column(name, [row.get(name) for row in rows], nested, text) for name in names]
    return pa.RecordBatch.from_arrays([array for array, _ in found], schema=pa.schema([field for _, field in found]))


def _column(
    name: str, values: list[Any], nested: Nested, text: Callable[[Any], str]
) -> tuple[pa.Array[Any], pa.Field[Any]]:
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {Number} and kinds:
        return numbers(name, values)
    if len(kinds) <= 1 and kinds <= {bool, int, str, float}:
        try:
            array = pa.array(values)
        except OverflowError:
            return numbers(name, [None if v is None else Number(v) for v in values])
        return array, pa.field(name, array.type)
    if kinds == {int, float}:
        return numbers(name, [None if v is None else Number(repr(v)) for v in values])
    if kinds in ({dict}, {list}) and nested == "struct" and (array := _structures(values)) is not None:
        return array, pa.field(name, array.type)
    texts = [None if value is None else text(value) for value in values]
    return pa.array(texts, pa.string()), pa.field(name, pa.string(), metadata=JSON)


def numbers(name: str, values: Sequence[str | None]) -> tuple[pa.Array[Any], pa.Field[Any]]:
    """Numbers as they were written, in the first type that keeps them all: integer, double, text."""
    import pyarrow as pa

    given = [value for value in values if value is not None]
    whole = [int(value) for value in given if value.lstrip("-").isdigit()]
    if len(whole) == len(given) and all(-_BIGGEST <= number < _BIGGEST for number in whole):
        return pa.array([None if v is None else int(v) for v in values], pa.int64()), pa.field(name, pa.int64())
    small = all(abs(number) <= DOUBLE_INTEGERS for number in whole)
    if small and all(as_double(value) for value in given):
        return pa.array([None if v is None else float(v) for v in values], pa.float64()), pa.field(name, pa.float64())
    texts = [None if value is None else str(value) for value in values]
    return pa.array(texts, pa.string()), pa.field(name, pa.string(), metadata=NUMBER)


def _structures(values: list[Any]) -> pa.Array[Any] | None:
    """The values as structures or lists; None if they have no one shape, or hold numbers kept as text."""
    import pyarrow as pa

    if _has_number(values):
        return None
    try:
        found: pa.Array[Any] = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return None
    return found


def _has_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return any(_has_number(each) for each in value.values())
    return type(value) is Number or (isinstance(value, list) and any(_has_number(each) for each in value))
