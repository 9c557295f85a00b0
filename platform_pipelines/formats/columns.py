"""Which types each column of text may become: what was declared, what was landed, what the values say.

Which of them it does become is left to ``settle``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import SpecError
from platform_pipelines.formats import casts
from platform_pipelines.formats.json_pieces import structures
from platform_pipelines.formats.nested import merged, settled, simplified, structure_of
from platform_pipelines.formats.settle import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.casts import Cast
    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.pieces import Piece

#: Arrow field metadata of columns that hold JSON as text
JSON_METADATA: dict[bytes | str, bytes | str] = {b"pipelines_type": b"json"}
#: the types that a JSON value of a kind is tried for
_SCALARS = {
    "s": frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NS", casts.ZONED, casts.TEXT}),
    "n": frozenset({"BIGINT", "DECIMAL(38,0)", "DOUBLE", casts.TEXT}),
    "b": frozenset({"BOOLEAN", casts.TEXT}),
}


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
    choice = _Choice(connection, pieces, options, expected)
    names = dict.fromkeys(name for piece in pieces for name in piece.columns)
    return [choice.column(name, widen=widen) for name in names]


class _Choice:
    """What is known of the columns of one read."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        pieces: Sequence[Piece],
        options: TextOptions,
        expected: pa.Schema | None,
    ) -> None:
        self._connection = connection
        self._pieces = pieces
        self._options = options
        self._declared = {name: _declared(connection, name, text, options) for name, text in options.types.items()}
        self._landed = _landed(connection, expected) if expected is not None else {}
        self._kinds = {name: kinds for piece in pieces for name, kinds in piece.kinds.items()}
        self._shapes = structures(connection, pieces[0]) if pieces and pieces[0].kinds else {}
        self._every = casts.candidates(options)

    def column(self, name: str, *, widen: bool) -> Column:
        if name in self._declared:
            return Column(name, "declared", (self._declared[name],))
        if name in self._landed:
            return Column(name, "landed", self._from_landed(*self._landed[name], widen=widen))
        return Column(name, "inferred", self._inferred(name))

    def _from_landed(self, field: pa.Field[Any], sql_type: str, *, widen: bool) -> tuple[Cast, ...]:
        import pyarrow.types as t

        if (field.metadata or {}).get(b"pipelines_type") == b"json":
            return (casts.json_text(),)
        if t.is_nested(field.type):
            return (self._landed_nested(field, widen=widen),)
        first = casts.strict(sql_type, self._options)
        return (first, *casts.widenings(sql_type, self._options)) if widen else (first,)

    def _landed_nested(self, field: pa.Field[Any], *, widen: bool) -> Cast:
        """The landed structure, widened by what the values have more of; where that fails, only values that fit it."""
        known, shape = structure_of(field.type), self._shapes.get(field.name)
        both = merged(known, shape) if shape is not None else None
        if both is not None and (widen or settled(both) == known):
            return _nested(self._connection, both)
        shapes = {text: simplified(json.loads(text)) for text in self._structures_of_values(field.name)}
        fitting = [text for text, found in shapes.items() if found is not None and merged(known, found) == known]
        return _nested(self._connection, known, fitting)

    def _structures_of_values(self, name: str) -> Iterator[str]:
        for piece in self._pieces:
            if name in piece.columns:
                rows = self._connection.execute(
                    f"select distinct json_structure(({piece.json(name)})::json)::varchar from {piece.relation} "
                    f"where {quote(name)} is not null and json_valid({piece.json(name)})"
                )
                yield from (text for (text,) in rows.fetchall())

    def _inferred(self, name: str) -> tuple[Cast, ...]:
        kinds, shape = self._kinds.get(name), self._shapes.get(name)
        if kinds is None:
            return tuple(self._every)
        if len(kinds) <= 1 and kinds <= _SCALARS.keys():
            allowed = _SCALARS[next(iter(kinds), "s")]
            return tuple(cast for cast in self._every if cast.type in allowed)
        return (_nested(self._connection, shape),) if shape is not None else (casts.json_text(),)


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


def _landed(connection: duckdb.DuckDBPyConnection, expected: pa.Schema) -> dict[str, tuple[pa.Field[Any], str]]:
    connection.register("_pipelines_expected", expected.empty_table())
    rows = connection.execute("describe select * from _pipelines_expected").fetchall()
    connection.unregister("_pipelines_expected")
    return {field.name: (field, row[1]) for field, row in zip(expected, rows, strict=True)}


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
