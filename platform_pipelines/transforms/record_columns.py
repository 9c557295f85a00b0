"""Columns of DuckDB as columns of records: what a ``python`` transform's child is sent.

Which columns are sent and what comes back is left to ``python``. Each type has one
Python form, exact or not at all: what Python has no value for (intervals,
nanoseconds, times beyond the year 9999, infinities of dates) is sent as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.relations import family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

#: kind of a record's value, and the SQL that yields it, by family of DuckDB type
_PLAIN = {
    "text": ("text", "cast({0} as varchar)"),
    "integer": ("int", "cast({0} as bigint)"),
    "decimal": ("decimal", "cast({0} as varchar)"),
    "float": ("float", "cast({0} as double)"),
    "bool": ("bool", "{0}"),
    "date": ("date", "cast({0} - date '1970-01-01' as bigint)"),
    "timestamp": ("datetime", "epoch_us(cast({0} as timestamp))"),
    "timestamptz": ("instant", "epoch_us({0})"),
    "nested": ("json", "{0}"),
}
_OTHER = {"BLOB": ("bytes", "{0}"), "TIME": ("time", "epoch_us({0})")}
_BIG = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT"})
_CALENDAR = {
    "DATE": "{0} between date '0001-01-01' and date '9999-12-31'",
    "TIME": "{0} < time '24:00:00'",
    "TIMESTAMP": "{0} between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'",
    "TIMESTAMP WITH TIME ZONE": (
        "{0} between timestamptz '0001-01-01 00:00:00+00' and timestamptz '9999-12-31 23:59:59.999999+00'"
    ),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A column that is sent to the child.

    Attributes:
        name: the column.
        kind: what the child makes of it; see ``isolated.child_values``.
        sql: expression of the values in the form that is sent.
        text: expression of the text that stands for a value Python cannot hold,
            NULL where it can; None where it can for certain.
    """

    name: str
    kind: str
    sql: str
    text: str | None = None


def sent(name: str, duck_type: str) -> Sent:
    """How a column of this DuckDB type is sent."""
    column = quote(name)
    if duck_type in _BIG:
        return Sent(name, "bigint", f"cast({column} as varchar)")
    kind, sql = _OTHER.get(duck_type) or _PLAIN.get(family(duck_type)) or _PLAIN["text"]
    if duck_type == "TIMESTAMP_NS" or duck_type.startswith("UNION"):
        kind, sql = _PLAIN["text"]
    duck_type = "TIMESTAMP" if kind == "datetime" else duck_type
    if duck_type not in _CALENDAR:
        return Sent(name, kind, sql.format(column))
    inside = _CALENDAR[duck_type].format(column)
    text = f"case when not {inside} then cast({column} as varchar) end"
    return Sent(name, kind, f"case when {inside} then {sql.format(column)} end", text)


def packed(columns: Sequence[Sent], table: pa.Table) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Headers and buffers of a chunk.

    Args:
        columns: as they are sent.
        table: ``value N`` and, where there is one, ``text N`` of each column N.

    Raises:
        InvalidData: a nested value holds what no record can.
    """
    headers: list[dict[str, Any]] = []
    buffers: list[bytes] = []
    for place, column in enumerate(columns):
        array = table.column(f"value {place}").combine_chunks()
        texts = _texts(table.column(f"text {place}")) if column.text else []
        parts = _PACK[column.kind](array, column.name)
        nulls = array.null_count > len(texts)
        if nulls:
            parts.append(_mask(array, texts))
        headers.append(
            {"name": column.name, "kind": column.kind, "nulls": nulls, "texts": texts, "buffers": len(parts)}
        )
        buffers += parts
    return headers, buffers


def _texts(column: pa.ChunkedArray[Any]) -> list[list[Any]]:
    if column.null_count == len(column):
        return []
    return [[row, text] for row, text in enumerate(column.to_pylist()) if text is not None]


def _mask(array: pa.Array[Any], texts: list[list[Any]]) -> bytes:
    import numpy as np

    mask = array.is_null().to_numpy(zero_copy_only=False).astype(np.uint8)
    mask[[row for row, _ in texts]] = 0
    return mask.tobytes()


def _numbers(array: pa.Array[Any], _: str) -> list[bytes]:
    return [array.fill_null(0).to_numpy(zero_copy_only=False).tobytes()]


def _bools(array: pa.Array[Any], _: str) -> list[bytes]:
    import pyarrow as pa

    filled: Any = array.cast(pa.uint8()).fill_null(0)
    return [filled.to_numpy(zero_copy_only=False).tobytes()]


def _strings(array: pa.Array[Any], _: str) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled: Any = array.fill_null("").cast(pa.large_string())
    return [pc.utf8_length(filled).to_numpy(zero_copy_only=False).astype("int64").tobytes(), _blob(filled)]


def _binaries(array: pa.Array[Any], _: str) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled: Any = array.fill_null(b"").cast(pa.large_binary())
    return [pc.binary_length(filled).to_numpy(zero_copy_only=False).astype("int64").tobytes(), _blob(filled)]


def _blob(array: pa.Array[Any]) -> bytes:
    import numpy as np

    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return b""
    ends = np.frombuffer(memoryview(offsets or b""), dtype=np.int64)
    return bytes(memoryview(data)[ends[array.offset] : ends[array.offset + len(array)]])


def _nested(array: pa.Array[Any], name: str) -> list[bytes]:
    import pyarrow as pa

    from platform_pipelines.isolated import tagged

    try:
        texts = [None if value is None else tagged.dumps(value) for value in array.to_pylist()]
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"Column `{name}` of type {array.type} holds a value that a record cannot: {error}."
        raise InvalidData(msg) from error
    return _strings(pa.array(["null" if text is None else text for text in texts], pa.string()), name)


_PACK: dict[str, Callable[[pa.Array[Any], str], list[bytes]]] = {
    "text": _strings,
    "decimal": lambda array, name: _strings(array.fill_null("0"), name),
    "bigint": lambda array, name: _strings(array.fill_null("0"), name),
    "int": _numbers,
    "float": _numbers,
    "date": _numbers,
    "datetime": _numbers,
    "instant": _numbers,
    "time": _numbers,
    "bool": _bools,
    "bytes": _binaries,
    "json": _nested,
}
