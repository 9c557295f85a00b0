"""Which types each column of text may become: what was declared, what was landed, what the values say.

Which of them it does become is left to ``settle``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal
from platform_pipelines.errors import SpecError
from platform_pipelines.formats import casts
from platform_pipelines.formats.json_pieces import structures
from platform_pipelines.formats.nested import merged, settled, simplified, structure_of
from platform_pipelines.formats.settle import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.pieces import Piece

#: Arrow field metadata of columns that hold JSON as text
JSON_METADATA = {b"pipelines_type": b"json"}
_TEMPORAL = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NS", casts.ZONED, casts.TEXT})
_NUMERIC = frozenset({"BIGINT", "DECIMAL(38,0)", "DOUBLE", casts.TEXT})


def columns_of(
    connection: duckdb.DuckDBPyConnection,
    pieces: Sequence[Piece],
    options: TextOptions,
    expected: pa.Schema | None,
    *,
    widen: bool,
) -> list[Column]:
    """Every column of the pieces, in order of appearance, with the types to try.

    Raises:
        SpecError: a declared type does not exist.
    """
    names = list(dict.fromkeys(name for piece in pieces for name in piece.columns))
    declared = {name: _declared(connection, name, text, options) for name, text in options.types.items()}
    landed = _landed(connection, expected) if expected is not None else {}
    kinds = {name: k for piece in pieces for name, k in piece.kinds.items()}
    shapes = structures(connection, pieces[0]) if pieces and pieces[0].kinds else {}
    found = []
    for name in names:
        if name in declared:
            found.append(Column(name, "declared", (declared[name],)))
        elif name in landed:
            found.append(Column(name, "landed", _from_landed(connection, pieces[0], landed[name], shapes.get(name), options, widen)))
        else:
            found.append(Column(name, "inferred", _inferred(connection, kinds.get(name), shapes.get(name), options)))
    return found


def _declared(connection: duckdb.DuckDBPyConnection, name: str, text: str, options: TextOptions) -> Cast:
    import duckdb

    try:
        sql_type = str(connection.execute(f"describe select null::{text} as x").fetchall()[0][1])
    except duckdb.Error as error:
        msg = (
            f"`types`: {text!r} of column {name!r} is not a SQL type. Write it like string, bigint, decimal(10,2), "
            "double, boolean, date, timestamp, timestamptz."
        )
        raise SpecError(msg) from error
    return casts.declared(sql_type, options)


def _landed(connection: duckdb.DuckDBPyConnection, expected: pa.Schema) -> dict[str, tuple[pa.Field, str]]:
    connection.register("_pipelines_expected", expected.empty_table())
    rows = connection.execute("describe select * from _pipelines_expected").fetchall()
    connection.unregister("_pipelines_expected")
    return {field.name: (field, row[1]) for field, row in zip(expected, rows, strict=True)}


def _from_landed(
    connection: duckdb.DuckDBPyConnection,
    piece: Piece,
    landed: tuple[pa.Field, str],
    shape: Any,  # noqa: ANN401 - any JSON value
    options: TextOptions,
    widen: bool,  # noqa: FBT001 - one of a list of facts
) -> tuple[Cast, ...]:
    import pyarrow.types as t

    field, sql_type = landed
    if (field.metadata or {}).get(b"pipelines_type") == b"json":
        return (casts.json_text(),)
    if t.is_nested(field.type):
        return (_landed_nested(connection, piece, field, shape, widen),)
    first = casts.strict(sql_type, options)
    return (first, *casts.widenings(sql_type, options)) if widen else (first,)


def _landed_nested(
    connection: duckdb.DuckDBPyConnection,
    piece: Piece,
    field: pa.Field,
    shape: Any,  # noqa: ANN401 - any JSON value
    widen: bool,  # noqa: FBT001 - one of a list of facts
) -> Cast:
    """The landed structure, widened by what the values have more of; where that fails, only values that fit it."""
    known = structure_of(field.type)
    both = merged(known, shape) if shape is not None else None
    if both is not None and (widen or settled(both) == known):
        return _nested(connection, both)
    name = piece.json(field.name)
    rows = connection.execute(
        f"select distinct json_structure(({name})::json)::varchar from {piece.relation} where {name} is not null"
    ).fetchall()
    shapes = {text: simplified(json.loads(text)) for (text,) in rows}
    fitting = [text for text, found in shapes.items() if found is not None and merged(known, found) == known]
    return _nested(connection, known, fitting)


def _inferred(
    connection: duckdb.DuckDBPyConnection,
    kinds: frozenset[str] | None,
    shape: Any,  # noqa: ANN401 - any JSON value
    options: TextOptions,
) -> tuple[Cast, ...]:
    every = casts.candidates(options)
    if kinds is None:
        return tuple(every)
    if kinds <= {"s"}:
        return tuple(c for c in every if c.type in _TEMPORAL)
    if kinds == {"n"}:
        return tuple(c for c in every if c.type in _NUMERIC)
    if kinds == {"b"}:
        return tuple(c for c in every if c.type in {"BOOLEAN", casts.TEXT})
    return (_nested(connection, shape),) if shape is not None else (casts.json_text(),)


def _nested(
    connection: duckdb.DuckDBPyConnection,
    shape: Any,  # noqa: ANN401 - any JSON value
    allowed: Sequence[str] | None = None,
) -> Cast:
    structure = json.dumps(settled(shape), ensure_ascii=False)
    described = connection.execute(
        f"describe select from_json(j, {literal(structure)}) as x from (values ('{{}}'::json)) as v(j)"
    )
    return casts.nested(structure, str(described.fetchall()[0][1]), allowed)


def with_metadata(schema: pa.Schema, json_columns: frozenset[str]) -> pa.Schema:
    """The schema with JSON text marked as such."""
    for name in json_columns:
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_metadata(JSON_METADATA))
    return schema
