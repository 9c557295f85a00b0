"""Brings pages to the types that were chosen; records whose values do not fit are rejected with the reason.

Values that surely fit are moved by Arrow; others go through the guarded casts of
``casts``, as text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.formats.json_kinds import kind_of
from platform_pipelines.model import Rejected
from platform_pipelines.rows import all_but, to_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.casts import Cast

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Target:
    """What a column becomes.

    Attributes:
        name: the column.
        field: its Arrow field.
        cast: how text becomes a value, where values may not fit; None where all surely do.
        origin: who chose the type, for messages.
    """

    name: str
    field: pa.Field[Any]
    cast: Cast | None = None
    origin: str = ""


def convert(table: pa.Table, targets: Sequence[Target]) -> tuple[pa.RecordBatch, tuple[Rejected, ...]]:
    """A page in the chosen types, and the records that do not fit them."""
    import pyarrow as pa

    arrays: list[pa.Array[Any]] = []
    reasons: dict[int, list[str]] = {}
    with duck.session() as connection:
        for target in targets:
            array, misfitting = _converted(connection, table, target)
            arrays.append(array)
            for row in misfitting:
                reasons.setdefault(row, []).append(_reason(table, target, row))
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema([target.field for target in targets]))
    if not reasons:
        return batch, ()
    rejected = tuple(Rejected(_record(table, row), "; ".join(reasons[row]) + ".") for row in sorted(reasons))
    return batch.filter(all_but(batch.num_rows, list(reasons))), rejected


def misfits(
    connection: duckdb.DuckDBPyConnection,
    columns: Iterable[tuple[pa.Array[Any], pa.Field[Any]]],
    choices: Sequence[Cast],
) -> list[int]:
    """How many values each of these casts would lose."""
    counts = [0] * len(choices)
    for column, described in columns:
        texts = textual(column, described)
        parts = ", ".join(f"count(*) filter (where not {cast.fits('x')})" for cast in choices)
        row = _query(connection, texts, f"select {parts} from page").to_pylist()[0]
        counts = [count + found for count, found in zip(counts, row.values(), strict=True)]
    return counts


def textual(column: pa.Array[Any], described: pa.Field[Any]) -> pa.Array[Any]:
    """The values as text: numbers in digits, texts as they are, everything else as JSON."""
    import pyarrow as pa

    kind = kind_of(described)
    if pa.types.is_string(column.type) or pa.types.is_null(column.type):
        return _unquoted(column) if kind == "json" else column.cast(pa.string())
    if kind == "double":
        values = [None if value is None else repr(value).removesuffix(".0") for value in column.to_pylist()]
        return pa.array(values, pa.string())
    if pa.types.is_nested(column.type):
        return as_json(column, described)
    return column.cast(pa.string())


def _unquoted(column: pa.Array[Any]) -> pa.Array[Any]:
    """JSON texts, with the strings among them as the texts that they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    strings = pc.starts_with(column, '"')
    if not pc.any(strings, min_count=0).as_py():
        return column
    texts = [json.loads(text) if text and text[0] == '"' else text for text in column.to_pylist()]
    return pa.array(texts, pa.string())


def as_json(column: pa.Array[Any], described: pa.Field[Any]) -> pa.Array[Any]:
    """The values as JSON text."""
    import pyarrow as pa

    kind = kind_of(described)
    if kind == "text":
        return pa.array(
            [None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()], pa.string()
        )
    if kind == "nested":
        with duck.session() as connection:
            query = "select to_json(x)::varchar as x from page"
            return _query(connection, column, query).column("x").combine_chunks()
    return column if pa.types.is_string(column.type) else textual(column, described)


def _converted(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, target: Target
) -> tuple[pa.Array[Any], list[int]]:
    """The column, and the rows whose values do not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = target.field.type
    if target.name not in table.column_names:
        return pa.nulls(table.num_rows, kind), []
    described = table.schema.field(target.name)
    column = table.column(target.name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], described.type)
    if target.cast is None:
        return _moved(column, described, target.field), []
    cast = target.cast
    query = f"select {cast.typed('x')} as value, {cast.fits('x')} as good from page"
    found = _query(connection, textual(column, described), query)
    misfitting: Any = pc.indices_nonzero(pc.invert(found.column("good")))
    return _one(found.column("value")), misfitting.to_pylist()


def _moved(column: pa.Array[Any], described: pa.Field[Any], wanted: pa.Field[Any]) -> pa.Array[Any]:
    """Values that all fit."""
    import pyarrow as pa

    kind = wanted.type
    if (wanted.metadata or {}).get(b"pipelines_type") == b"json":
        return as_json(column, described)
    if column.type == kind and kind_of(described) != "json":
        return column
    if pa.types.is_nested(kind) and pa.types.is_nested(column.type):
        empty = pa.table({"x": pa.array([], kind)})
        both = pa.concat_tables([pa.table({"x": column}), empty], promote_options="permissive")
        return _one(both.column("x")).cast(kind)
    if pa.types.is_string(kind) or (pa.types.is_decimal(kind) and pa.types.is_floating(column.type)):
        return textual(column, described).cast(kind)
    return column.cast(kind)


def _one(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _query(connection: duckdb.DuckDBPyConnection, column: pa.Array[Any], query: str) -> pa.Table:
    import pyarrow as pa

    connection.register("page", pa.table({"x": column}))
    try:
        return connection.execute(query).to_arrow_table()
    finally:
        connection.unregister("page")


def _reason(table: pa.Table, target: Target, row: int) -> str:
    value = str(textual(_one(table.column(target.name).slice(row, 1)), table.schema.field(target.name))[0].as_py())
    cast = target.cast
    return f"column {target.name!r}: '{value[:_SHOWN]}' is not a value of {cast.type if cast else ''} ({target.origin})"


def record_texts(batch: pa.RecordBatch, rows: Sequence[int]) -> list[str]:
    """Records as text: equal ones give equal texts, on whichever page they come and in whichever types."""
    import pyarrow as pa

    chosen = batch.take(pa.array(rows, pa.int64()))
    names = sorted(chosen.schema.names)
    columns = [textual(chosen.column(name), chosen.schema.field(name)).to_pylist() for name in names]
    return [
        json.dumps({name: value for name, value in zip(names, values, strict=True) if value is not None})
        for values in zip(*columns, strict=True)
    ]


def _record(table: pa.Table, row: int) -> str:
    """A record as JSON text; numbers and JSON kept as text stand in it as they were written."""
    one = table.slice(row, 1)
    values = to_rows(one)[0]
    parts = []
    for described in table.schema:
        value = values[described.name]
        raw = isinstance(value, str) and kind_of(described) in {"number", "json"}
        parts.append(
            f"{json.dumps(described.name)}: {value if raw else json.dumps(value, ensure_ascii=False, default=str)}"
        )
    return "{" + ", ".join(parts) + "}"
