"""How each PostgreSQL column is read so that its values survive exactly.

What Arrow has a type for arrives natively. Everything else travels as text:
numeric without precision or beyond 38 digits, json, intervals, ranges, enums,
network and geometric types, composites and arrays of those. Each field carries
its PostgreSQL type as metadata, which a PostgreSQL destination restores.

Infinite dates and timestamps stay what Arrow and DuckDB hold for them, the
largest and smallest integer of the column's width. NaN in a decimal column has
no such value; it stops the read with an error that says what to do. So does an
array whose dimensions or bounds an Arrow list cannot express; a column that is
declared with several dimensions travels as text. Of a domain the values are read
in the type below it; its name goes along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.sql import postgres_types
from platform_pipelines.sql.arrow_types import PG_DOMAIN, PG_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    import pyarrow as pa

    from platform_pipelines.sql.types import ColumnType

#: what the cast of a NaN that no decimal can hold says in PostgreSQL's error
NAN_MARK = "NaN in decimal column"
#: what the cast of an array that is no plain list says in PostgreSQL's error
ARRAY_MARK = "array with bounds in column"

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
    case when b.type <> u.type then pg_catalog.format_type(u.type, null) else '' end
from base b
join unnest(%s::oid[]) with ordinality as u(type, place) using (place)
join pg_catalog.pg_type t on t.oid = b.type
left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
where t.typtype <> 'd'
order by b.place
"""

# a result names the type below a domain, and no dimensions: the table's column behind it knows both
_DECLARED = """
select coalesce(a.atttypid, u.type)::bigint, coalesce(a.atttypmod, u.modifier), coalesce(a.attndims, 0)::int
from unnest(%s::oid[], %s::int[], %s::oid[], %s::int[])
    with ordinality as u(type, modifier, relation, number, place)
left join pg_catalog.pg_attribute a on a.attrelid = u.relation and a.attnum = u.number
order by u.place
"""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as it is read.

    Attributes:
        name: its name.
        pg_type: its type as PostgreSQL's ``format_type`` writes it; of a domain, the type below it.
        type: the same, parsed.
        base: whether it is a plain type, rather than an enum, a composite or a range.
        domain: the domain that the column is of; empty if it is of none.
        dimensions: of an array, as its table declares them.
    """

    name: str
    pg_type: str
    type: ColumnType
    base: bool
    domain: str = ""
    dimensions: int = 1

    @property
    def _several(self) -> bool:
        """Whether values are arrays of arrays, which PostgreSQL's types do not tell from plain ones."""
        return self.type.family == "list" and self.dimensions > 1

    @property
    def native(self) -> bool:
        """Whether Arrow has a type that holds every value."""
        if not self.base or self._several:
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
        if self.type.family == "list" and not self._several:
            return self._list
        if self.native:
            return f"{name}::{self.pg_type}" if self.domain else name
        return f"{name}::numeric::text" if self.pg_type == "money" else f"{name}::text"

    @property
    def _list(self) -> str:
        name, kind = quote(self.name), self.pg_type if self.native else "text[]"
        exact = f"{name}::numeric[]" if self.pg_type == "money[]" else name
        stop = f"(left({name}::text, 0) || {literal(f'{ARRAY_MARK} {self.name}')})::{kind}"
        odd = f"array_ndims({name}) > 1 or array_lower({name}, 1) <> 1"
        return f"case when {odd} then {stop} else {exact}::{kind} end"

    def field(self, data_type: pa.DataType) -> pa.Field[Any]:
        """The Arrow field of the column, with its PostgreSQL type."""
        import pyarrow as pa

        metadata = {PG_TYPE: self.pg_type.encode()} | ({PG_DOMAIN: self.domain.encode()} if self.domain else {})
        return pa.field(self.name, data_type, metadata=metadata)

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type in which the column arrives."""
        import pyarrow as pa

        if self.type.family == "list" and not self._several:
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
    tables, numbers = [result.ftable(i) for i in places], [result.ftablecol(i) for i in places]
    types, modifiers = [result.ftype(i) for i in places], [result.fmod(i) for i in places]
    found = connection.execute(_DECLARED, [types, modifiers, tables, numbers]).fetchall()
    return classify(connection, names, [(oid, modifier) for oid, modifier, _ in found], [count for *_, count in found])


def classify(
    connection: psycopg.Connection,
    names: Sequence[str],
    types: Sequence[tuple[int, int]],
    dimensions: Sequence[int],
) -> list[SourceColumn]:
    """Columns from their type oids, modifiers and declared dimensions."""
    oids = [oid for oid, _ in types]
    rows = connection.execute(_CLASSIFY, [oids, [modifier for _, modifier in types], oids]).fetchall()
    return [
        SourceColumn(name, text, postgres_types.parse(text), base, domain, count)
        for name, (text, base, domain), count in zip(names, rows, dimensions, strict=True)
    ]
