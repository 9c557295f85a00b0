"""Arrow rows as Python mappings, whatever their values, and all but some of them.

Python has no infinite date, no year 10000 and none before Christ; such columns
come as text, as DuckDB writes them. How values are shown is left to the callers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from platform_pipelines import duck

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def to_rows(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """The rows of a batch, one mapping each."""
    columns = {name: to_values(batch.column(name)) for name in batch.schema.names}
    return [{name: values[index] for name, values in columns.items()} for index in range(batch.num_rows)]


def to_values(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> list[Any]:
    """The values of a column as Python objects; as text where Python cannot hold one of them."""
    import pyarrow as pa

    try:
        return column.to_pylist()
    except (OverflowError, ValueError):
        with duck.session() as connection:
            connection.register("one_column", pa.Table.from_arrays([column], names=["value"]))
            return [value for (value,) in connection.execute("select value::varchar from one_column").fetchall()]


def all_but(rows: int, numbers: Sequence[int] | pa.Array[Any] | pa.ChunkedArray[Any]) -> pa.BooleanArray:
    """A filter of so many rows that leaves those of these numbers out; without numpy, see decision 0014."""
    import pyarrow as pa

    if not isinstance(numbers, pa.Array | pa.ChunkedArray):
        return _all_but_few(rows, numbers)
    import pyarrow.compute as pc

    every: Any = pa.arange(0, rows)  # type: ignore[attr-defined]  # newer than the stubs
    found: pa.BooleanArray = pc.invert(pc.is_in(every, value_set=numbers.cast(pa.int64())))
    return found


def _all_but_few(rows: int, numbers: Sequence[int]) -> pa.BooleanArray:
    """One bit a row, see https://arrow.apache.org/docs/format/Columnar.html#fixed-size-primitive-layout."""
    import pyarrow as pa

    bits = bytearray(b"\xff" * -(-rows // 8))
    for number in numbers:
        bits[number >> 3] &= ~(1 << (number & 7))
    found: Any = pa.Array.from_buffers(pa.bool_(), rows, [None, pa.py_buffer(bytes(bits))])
    return cast("pa.BooleanArray", found)
