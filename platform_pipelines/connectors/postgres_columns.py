"""How each PostgreSQL column is read so that its values survive exactly.

What Arrow has a type for arrives natively. Everything else travels as text:
numeric without precision or beyond 38 digits, json, intervals, ranges, enums,
network and geometric types, composites and arrays of those. Each field carries
its PostgreSQL type as metadata, which a PostgreSQL destination restores.

Infinite dates and timestamps stay what Arrow and DuckDB hold for them, the
largest and smallest integer of the column's width. NaN in a decimal column has
no such value; it stops the read with an error that says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.sql import postgres_types
from platform_pipelines.sql.arrow_types import PG_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    import pyarrow as pa

    from platform_pipelines.sql.types import ColumnType

#: what the cast of a NaN that no decimal can hold says in PostgreSQL's error
NAN_MARK = "NaN in decimal column"

_NATIVE = frozenset({"bool", "int", "float", "text", "bytes", "date", "timestamp", "timestamptz", "time", "uuid"})
_NATIVE_ELEMENTS = frozenset({"bool", "int", "float", "text", "date", "timestamp", "timestamptz"})

_CLASSIFY = """
with recursive base(place, type, modifier) as (
    select place, type, modifier from unnest(%s::oid[], %s::int[]) with ordinality as u(type, modifier, place)
    union all
    select b.place, t.typbasetype, t.typtypmod from base b join pg_catalog.pg_type t on t.oid = b.type
    where t.typtype = 'd'
)
select pg_catalog.format_type(b.type, b.modifier), t.typtype = 'b' and coalesce(e.typtype, 'b') = 'b',
    b.type <> (%s::oid[])[b.place]
from base b
join pg_catalog.pg_type t on t.oid = b.type
left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
where t.typtype <> 'd'
order by b.place
"""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as it is read.

    Attributes:
        name: its name.
        pg_type: its type as PostgreSQL's ``format_type`` writes it; of a domain, the type below it.
        type: the same, parsed.
        base: whether it is a plain type, rather than an enum, a composite or a range.
        domain: whether the column is of a domain.
    """

    name: str
    pg_type: str
    type: ColumnType
    base: bool
    domain: bool = False

    @property
    def native(self) -> bool:
        """Whether Arrow has a type that holds every value."""
        if not self.base:
            return False
        if self.type.family == "list":
            return self.type.element is not None and self.type.element.family in _NATIVE_ELEMENTS
        if self.type.family == "decimal":
            return postgres_types.is_native(self.type)
        return self.type.family in _NATIVE

    @property
    def expression(self) -> str:
        """The column in a SELECT list."""
        name = quote(self.name)
        if self.type.family == "text" and self.type.name == "character":
            return f"pg_catalog.textin(pg_catalog.bpcharout({name}))"  # a cast to text would drop the padding
        if self.native and self.type.family == "decimal":
            stop = f"(({name})::text || {literal(f' {NAN_MARK} {self.name}')})::numeric"
            return f"(case when {name} = 'NaN' then {stop} else {name} end)::{self.pg_type}"
        if self.native:
            return f"{name}::{self.pg_type}" if self.domain else name
        if self.type.family == "list":
            return f"{name}::text[]"
        return f"{name}::numeric::text" if self.pg_type == "money" else f"{name}::text"

    def field(self, data_type: pa.DataType) -> pa.Field[Any]:
        """The Arrow field of the column, with its PostgreSQL type."""
        import pyarrow as pa

        return pa.field(self.name, data_type, metadata={PG_TYPE: self.pg_type.encode()})

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type in which the column arrives."""
        import pyarrow as pa

        if self.type.family == "list":
            return pa.list_(
                pa.field("l", _arrow(self.type.element) if self.native and self.type.element else pa.string())
            )
        return _arrow(self.type) if self.native else pa.string()


def _arrow(column: ColumnType) -> pa.DataType:
    import pyarrow as pa

    if column.family == "int":
        return {16: pa.int16(), 32: pa.int32()}.get(column.size or 0, pa.int64())
    if column.family == "float":
        return pa.float32() if column.size == 32 else pa.float64()  # noqa: PLR2004 - bits
    if column.family == "decimal":
        return pa.decimal128(column.size or 38, column.scale)
    others: dict[str, pa.DataType] = {
        "bool": pa.bool_(),
        "bytes": pa.binary(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
        "time": pa.time64("us"),
    }
    return others.get(column.family, pa.string())


def describe(connection: psycopg.Connection, relation: str) -> list[SourceColumn]:
    """The columns of a relation; inside a transaction this also keeps its tables from being altered.

    Args:
        connection: open connection.
        relation: what stands after FROM.
    """
    result = connection.execute(f"select * from {relation} limit 0".encode()).pgresult
    places = range(result.nfields if result else 0)
    if result is None:
        return []
    names = [(result.fname(i) or b"").decode() for i in places]
    return classify(connection, names, [(result.ftype(i), result.fmod(i)) for i in places])


def classify(
    connection: psycopg.Connection, names: Sequence[str], types: Sequence[tuple[int, int]]
) -> list[SourceColumn]:
    """Columns from their type oids and modifiers."""
    oids = [oid for oid, _ in types]
    rows = connection.execute(_CLASSIFY, [oids, [modifier for _, modifier in types], oids]).fetchall()
    return [
        SourceColumn(name, text, postgres_types.parse(text), base, domain)
        for name, (text, base, domain) in zip(names, rows, strict=True)
    ]
