"""Arrow types as column types, and the Arrow types that every database here takes.

What a database calls them is left to its own module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.sql.types import NULL, TEXT, ColumnType
from platform_pipelines.timeunits import cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

#: Arrow field metadata that holds the PostgreSQL type to restore
PG_TYPE = b"pg_type"
#: Arrow field metadata that holds the name of a domain over that type
PG_DOMAIN = b"pg_domain"


def from_arrow(data_type: pa.DataType) -> ColumnType:
    """The column type of an Arrow type; text for what has no better word."""
    import pyarrow.types as t

    if t.is_dictionary(data_type):
        return from_arrow(data_type.value_type)
    if t.is_integer(data_type):
        return ColumnType("int", data_type.bit_width, signed=t.is_signed_integer(data_type))
    if t.is_decimal(data_type):
        return ColumnType("decimal", data_type.precision, data_type.scale)
    if t.is_floating(data_type):
        return ColumnType("float", max(data_type.bit_width, 32))
    if t.is_timestamp(data_type):
        digits = 9 if data_type.unit == "ns" and data_type.tz is None else 6
        return ColumnType("timestamptz" if data_type.tz else "timestamp", digits)
    return _from_other(data_type)


def _from_other(data_type: pa.DataType) -> ColumnType:
    import pyarrow.types as t

    checks: tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...] = (
        (t.is_null, NULL),
        (t.is_boolean, ColumnType("bool")),
        (_is_binary, ColumnType("bytes")),
        (t.is_date, ColumnType("date")),
        (t.is_time, ColumnType("time")),
        (t.is_duration, ColumnType("interval")),
    )
    for check, found in checks:
        if check(data_type):
            return found
    return _from_nested(data_type)


def _is_binary(data_type: pa.DataType) -> bool:
    import pyarrow.types as t

    return (
        t.is_binary(data_type)
        or t.is_large_binary(data_type)
        or t.is_fixed_size_binary(data_type)
        or t.is_binary_view(data_type)
    )


def _from_nested(data_type: pa.DataType) -> ColumnType:
    import pyarrow.types as t

    if _is_list(data_type):
        return ColumnType("list", element=from_arrow(data_type.field(0).type))
    if t.is_struct(data_type):
        return ColumnType("struct", fields=tuple((f.name, from_arrow(f.type)) for f in data_type))
    if t.is_map(data_type):
        key = ("key", from_arrow(data_type.key_type))
        return ColumnType("map", fields=(key,), element=from_arrow(data_type.item_type))
    return TEXT


def _is_list(data_type: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_list(data_type) or t.is_large_list(data_type) or t.is_fixed_size_list(data_type)


def plain_type(data_type: pa.DataType, *, nanoseconds: bool) -> pa.DataType:
    """The type as DuckDB reads it alike from Arrow and from Parquet, without loss.

    Args:
        data_type: any Arrow type.
        nanoseconds: whether a timestamp without zone may keep nanoseconds.
    """
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(data_type):
        return plain_type(data_type.value_type, nanoseconds=nanoseconds)
    if t.is_timestamp(data_type):
        keep = data_type.unit == "us" or (nanoseconds and data_type.unit == "ns" and data_type.tz is None)
        return data_type if keep else pa.timestamp("us", data_type.tz)
    checks: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
        (t.is_null, pa.string()),
        (t.is_decimal256, pa.string()),
        (t.is_time, pa.time64("us")),
        (t.is_float16, pa.float32()),
        (t.is_date64, pa.date32()),
    )
    for check, plain in checks:
        if check(data_type):
            return plain
    return _plain_nested(data_type, nanoseconds=nanoseconds)


def _plain_nested(data_type: pa.DataType, *, nanoseconds: bool) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as t

    def plain(inner: pa.DataType) -> pa.DataType:
        return plain_type(inner, nanoseconds=nanoseconds)

    if _is_list(data_type):
        element = data_type.field(0)
        return data_type if plain(element.type) == element.type else pa.list_(plain(element.type))
    if t.is_struct(data_type):
        return pa.struct([f.with_type(plain(f.type)) for f in data_type])
    if t.is_map(data_type):
        return pa.map_(plain(data_type.key_type), plain(data_type.item_type))
    return data_type


def plain_schema(schema: pa.Schema, *, nanoseconds: bool) -> pa.Schema:
    """Every field in its :func:`plain_type`; names and metadata stay."""
    import pyarrow as pa

    return pa.schema([f.with_type(plain_type(f.type, nanoseconds=nanoseconds)) for f in schema])


def parquet_safe(schema: pa.Schema) -> bool:
    """Whether DuckDB reads the schema from a Parquet file as it reads it from Arrow."""
    import pyarrow.types as t

    def safe(data_type: pa.DataType) -> bool:
        if t.is_duration(data_type) or t.is_interval(data_type):
            return False
        return all(safe(data_type.field(i).type) for i in range(data_type.num_fields))

    return all(safe(f.type) for f in schema)


def in_schema(batches: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The batches cast to ``schema`` without loss.

    Raises:
        InvalidData: a value does not fit, such as a timestamp finer than a microsecond.
    """
    import pyarrow as pa

    for batch in batches:
        columns = []
        for name, column, field in zip(batch.schema.names, batch.columns, schema, strict=True):
            try:
                columns.append(cast(column, field.type))
            except pa.ArrowInvalid as error:
                msg = (
                    f"Column {name!r} of type {column.type} holds a value that the destination cannot keep exactly "
                    f"({error}). Convert the column in a `map` or `sql` transform first."
                )
                raise InvalidData(msg) from error
        yield pa.record_batch(columns, schema=schema)
