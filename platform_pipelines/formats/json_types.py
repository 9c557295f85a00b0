"""The type of each column of a JSON stream, chosen from all its pages.

Declared types win, then the types landed last time (widened where that loses
nothing and is allowed), then the narrowest type that takes every value exactly.
Bringing the values there is left to ``json_convert``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from platform_pipelines import duck
from platform_pipelines.errors import InvalidData, SchemaDrift, SpecError
from platform_pipelines.formats import casts
from platform_pipelines.formats.columns import JSON_METADATA
from platform_pipelines.formats.json_columns import NUMBER
from platform_pipelines.formats.json_convert import Target, misfits, textual
from platform_pipelines.formats.json_kinds import MOST_DIGITS, Seen, time_types
from platform_pipelines.formats.options import TextOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.casts import Cast

_OPTIONS = TextOptions()
_SCALES = (0, 2, 4, 6, 9, 12, 19, 28)
_INTEGER_DIGITS = 19


class Tables(Protocol):
    """Pages that can be gone through again."""

    def tables(self) -> Iterator[pa.Table]:
        """The pages in their order."""


@dataclass
class PageTypes:
    """Takes in pages, then says which types their columns have.

    Attributes:
        stream: its name, for messages.
        declared: SQL types by column.
        expected: the schema landed last time.
        changes: what to do with values that do not fit ``expected``.
        seen: what the columns hold.
    """

    stream: str
    declared: Mapping[str, str] = field(default_factory=dict)
    expected: pa.Schema | None = None
    changes: Literal["widen", "reject", "fail"] = "widen"
    seen: dict[str, Seen] = field(default_factory=dict)

    def look(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Take in a page, or several of one schema.

        Raises:
            InvalidData: a column's structures have no shape in common, or two names differ in case only.
        """
        import pyarrow as pa

        for described, column in zip(batch.schema, batch.columns, strict=True):
            if described.name not in self.seen:
                self._check_name(described.name)
                self.seen[described.name] = Seen()
            try:
                self.seen[described.name].look(column, described)  # type: ignore[arg-type]  # the stubs of tables
            except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
                msg = (
                    f"Column {described.name!r} of stream {self.stream!r} holds structures of shapes that do not "
                    f"unite: {error}. Keep it as JSON: `nested: json`."
                )
                raise InvalidData(msg) from error

    def settle(self, spool: Tables) -> tuple[Target, ...]:
        """What each column becomes; a declared one is there whether a record has it or not.

        Raises:
            SchemaDrift: values do not fit the types landed before, and ``changes`` is ``fail``.
            SpecError: a declared type does not exist, or its column is written in another case than the field.
        """
        names = (*self.seen, *(name for name in self.declared if name not in self.seen))
        with duck.session() as connection:
            landed = _landed(connection, self.expected) if self.expected is not None else {}
            for name in names[len(self.seen) :]:
                self._check_declared(name)
            return tuple(self._target(connection, name, landed.get(name), spool) for name in names)

    def _check_declared(self, name: str) -> None:
        other = next((each for each in self.seen if each.lower() == name.lower()), None)
        if other is not None:
            msg = f"`types` of stream {self.stream!r} names {name!r}, the field is {other!r}. Write it like the field."
            raise SpecError(msg)

    def _check_name(self, name: str) -> None:
        other = next((each for each in self.seen if each.lower() == name.lower()), None)
        if other is not None:
            msg = (
                f"The fields {other!r} and {name!r} of stream {self.stream!r} differ in case only; a table can have "
                "only one of them. Ask the API for one of the two."
            )
            raise InvalidData(msg)

    def _target(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        landed: tuple[pa.Field[Any], str] | None,
        spool: Tables,
    ) -> Target:
        if name in self.declared:
            return _cast_target(connection, name, _declared(connection, name, self.declared[name]), "as declared")
        natural = self._natural(name, spool)
        if landed is None:
            return Target(name, natural)
        expected, sql_type = landed
        if not self.seen[name].kinds or _same(expected, natural):
            return Target(name, expected)
        plain = _without_check(expected, natural, widen=self.changes == "widen")
        return Target(name, plain) if plain is not None else self._fitting(connection, name, sql_type, spool)

    def _fitting(self, connection: duckdb.DuckDBPyConnection, name: str, sql_type: str, spool: Tables) -> Target:
        """The landed type, or the nearest wider one, that loses the fewest values."""
        first = casts.strict(sql_type, _OPTIONS)
        choices = [first, *(casts.widenings(sql_type, _OPTIONS) if self.changes == "widen" else ())]
        counts = misfits(connection, _columns(spool, name), choices)
        best = min(range(len(choices)), key=lambda index: counts[index])
        if counts[best] and self.changes == "fail":
            msg = (
                f"Column {name!r} of stream {self.stream!r} was landed as {sql_type}; {counts[best]} values are none. "
                "The schema contract says `type_changes: fail`. Declare the column's type in the stream's `types`, or "
                "allow `widen` or `reject`."
            )
            raise SchemaDrift(msg)
        return _cast_target(connection, name, choices[best], "as landed before")

    def _natural(self, name: str, spool: Tables) -> pa.Field[Any]:
        """The narrowest type that takes every value."""
        import pyarrow as pa

        seen = self.seen[name]
        scalar = {"bool": pa.bool_(), "int": pa.int64(), "double": pa.float64()}
        if len(seen.kinds) == 1 and seen.kinds <= scalar.keys():
            return pa.field(name, scalar[next(iter(seen.kinds))])
        if seen.kinds == {"int", "double"} and not seen.big:
            return pa.field(name, pa.float64())
        if seen.kinds and seen.kinds <= {"int", "double", "number"}:
            return pa.field(name, _decimal(seen, _columns(spool, name)))
        if seen.kinds == {"nested"} and seen.nested is not None:
            return pa.field(name, _without_null(seen.nested))
        if seen.kinds <= {"text"}:
            time = next((kind for kind in time_types() if seen.kinds and kind in seen.times), None)
            return pa.field(name, time_types()[time] if time else pa.string())
        return pa.field(name, pa.string(), metadata=JSON_METADATA)


def _decimal(seen: Seen, columns: Iterable[tuple[pa.Array[Any], pa.Field[Any]]]) -> pa.DataType:
    """The decimal that holds these numbers, or text if none does."""
    import pyarrow as pa

    whole, scale = seen.whole, seen.scale
    if "int" in seen.kinds:
        whole = max(whole, _INTEGER_DIGITS)
    if "double" in seen.kinds:  # pages of few digits: what they hold was not measured
        measured, as_number = Seen(), pa.field("x", pa.string(), metadata=NUMBER)
        for column, described in columns:
            measured.look(textual(column, described), as_number)
        whole, scale = max(whole, measured.whole), max(scale, measured.scale)
    fitting = next((each for each in _SCALES if each >= scale and each + whole <= MOST_DIGITS), None)
    if fitting is None and scale + whole <= MOST_DIGITS:
        fitting = scale
    return pa.string() if fitting is None else pa.decimal128(MOST_DIGITS, fitting)


def _columns(spool: Tables, name: str) -> Iterable[tuple[pa.Array[Any], pa.Field[Any]]]:
    for table in spool.tables():
        if name in table.column_names:
            for chunk in table.column(name).chunks:
                yield chunk, table.schema.field(name)


def _same(one: pa.Field[Any], other: pa.Field[Any]) -> bool:
    return one.type == other.type and (one.metadata or {}).get(b"pipelines_type") == (other.metadata or {}).get(
        b"pipelines_type"
    )


def _without_check(expected: pa.Field[Any], natural: pa.Field[Any], *, widen: bool) -> pa.Field[Any] | None:
    """The column, where no value needs a look: text takes all, structures unite; None elsewhere."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_string(expected.type):
        return expected
    if not t.is_nested(expected.type) or not t.is_nested(natural.type):
        return None
    schemas = [pa.schema([expected.remove_metadata()]), pa.schema([natural])]
    try:
        united = pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except pa.ArrowTypeError as error:
        united, problem = None, str(error)
    else:
        problem = "it has more fields than before"
    if united is None or (not widen and united.type != expected.type):
        msg = (
            f"Column {expected.name!r} was landed as {expected.type}, and is {natural.type} now: {problem}. "
            "Keep it as JSON (`nested: json`) and read anew with `--full-refresh`."
        )
        raise SchemaDrift(msg)
    return united


def _without_null(kind: pa.DataType) -> pa.DataType:
    """The structure with text where only NULLs were seen."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_struct(kind):
        return pa.struct([field.with_type(_without_null(field.type)) for field in kind])
    if t.is_list(kind):
        return pa.list_(_without_null(kind.value_type))
    return pa.string() if t.is_null(kind) else kind


def _declared(connection: duckdb.DuckDBPyConnection, name: str, text: str) -> Cast:
    import duckdb

    try:
        sql_type = str(connection.execute(f"describe select null::{text} as x").fetchall()[0][1])
    except duckdb.Error as error:
        msg = (
            f"`types`: {text!r} of column {name!r} is not a SQL type. Write it like string, bigint, decimal(10,2), "
            "double, boolean, date, timestamp, timestamptz, json."
        )
        raise SpecError(msg) from error
    return casts.declared(sql_type, _OPTIONS)


def _cast_target(connection: duckdb.DuckDBPyConnection, name: str, cast: Cast, origin: str) -> Target:
    import pyarrow as pa

    if cast.type == casts.JSON:
        return Target(name, pa.field(name, pa.string(), metadata=JSON_METADATA))
    query = f"select {cast.typed('x')} as x from (select null::varchar as x)"
    kind = connection.execute(query).to_arrow_table().schema.field(0).type
    return Target(name, pa.field(name, kind), cast, origin)


def _landed(connection: duckdb.DuckDBPyConnection, expected: pa.Schema) -> dict[str, tuple[pa.Field[Any], str]]:
    connection.register("_pipelines_expected", expected.empty_table())
    rows: Sequence[Any] = connection.execute("describe select * from _pipelines_expected").fetchall()
    connection.unregister("_pipelines_expected")
    return {described.name: (described, row[1]) for described, row in zip(expected, rows, strict=True)}
