"""Timestamps of one unit as those of another: an infinite one stays infinite.

The largest and the smallest number of 64 bits stand for infinity, whatever the unit, in Arrow as in DuckDB and
PostgreSQL's driver. Arrow's own cast takes them for instants, and no other unit can hold those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.kernels import call

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_INFINITE = 2**63 - 1


def cast(column: pa.Array[Any], wanted: pa.DataType) -> pa.Array[Any]:
    """The column in another type, without loss.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit.
        pyarrow.ArrowNotImplementedError: there is no such cast.
    """
    import pyarrow as pa

    if column.type == wanted:
        return column
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:  # infinite timestamps are a reason; they are looked for only then
        found: pa.Array[Any] = _apart(column, wanted)
        return found


def cast_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the types of a schema with the same columns.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit.
    """
    import pyarrow as pa

    columns = [cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def cast_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same of a table."""
    import pyarrow as pa

    columns = [
        pa.chunked_array([cast(chunk, field.type) for chunk in column.chunks], field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def parquet_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with milliseconds for seconds, which Parquet does not have."""
    return _in_units(schema, {"s": "ms"})


def text_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with microseconds for all that is coarser, of which DuckDB writes no infinite ones with zone."""
    return _in_units(schema, {"s": "us", "ms": "us"})


def _apart(column: Any, wanted: Any) -> Any:  # noqa: ANN401 - arrays and types of any kind
    """The cast with infinite timestamps left out of it, inside lists, structs and maps too."""
    import pyarrow as pa
    import pyarrow.types as t

    kind, empty = column.type, column.is_null()
    if t.is_timestamp(kind) and t.is_timestamp(wanted):
        return _timestamps(column, wanted)
    if t.is_map(kind) and t.is_map(wanted):
        keys, items = cast(column.keys, wanted.key_type), cast(column.items, wanted.item_type)
        maps: Any = pa.MapArray  # its stubs know no mask beside a type
        return maps.from_arrays(_offsets(column), keys, items, wanted, mask=empty)
    if t.is_struct(kind) and t.is_struct(wanted) and [f.name for f in kind] == [f.name for f in wanted]:
        fields = [cast(column.field(place), each.type) for place, each in enumerate(wanted)]
        return pa.StructArray.from_arrays(fields, fields=list(wanted), mask=empty)
    if t.is_fixed_size_list(kind):
        return _apart(column.cast(pa.list_(kind.value_field)), wanted)
    if t.is_list(kind) and (t.is_list(wanted) or t.is_fixed_size_list(wanted)):
        values = cast(column.values, wanted.value_type)
        return pa.ListArray.from_arrays(_offsets(column), values, mask=empty).cast(wanted)
    return column.cast(wanted)


def _offsets(column: Any) -> Any:  # noqa: ANN401 - lists or maps
    """Where each list begins, in an array of their own: Arrow takes no slice of one beside a mask."""
    import pyarrow as pa

    return call("add", column.offsets, pa.scalar(0, column.offsets.type))


def _timestamps(column: Any, wanted: pa.DataType) -> Any:  # noqa: ANN401 - of timestamps
    import pyarrow as pa

    numbers = column.view(pa.int64())
    infinite = call("equal", call("abs", numbers), pa.scalar(_INFINITE))
    finite = call("if_else", infinite, pa.scalar(None, column.type), column).cast(wanted)
    return call("if_else", infinite, numbers.view(wanted), finite)


def _in_units(schema: pa.Schema, units: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([_field(each, units) for each in schema]).with_metadata(schema.metadata)


def _field(field: pa.Field[Any], units: Mapping[str, str]) -> pa.Field[Any]:
    return field.with_type(_kept(field.type, units))


def _kept(kind: Any, units: Mapping[str, str]) -> Any:  # noqa: ANN401 - types of any kind
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_timestamp(kind):
        return pa.timestamp(units.get(kind.unit, kind.unit), kind.tz)
    if t.is_map(kind):
        made: Any = pa.map_  # its stubs know no fields
        return made(_field(kind.key_field, units), _field(kind.item_field, units), keys_sorted=kind.keys_sorted)
    if t.is_struct(kind):
        return pa.struct([_field(each, units) for each in kind])
    if t.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field, units), kind.list_size)
    if t.is_large_list(kind):
        return pa.large_list(_field(kind.value_field, units))
    return pa.list_(_field(kind.value_field, units)) if t.is_list(kind) else kind
