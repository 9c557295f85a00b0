"""The schema contract: what happens when a batch has other columns or types than before.

Where the established schema is kept is left to ``store``; rejects are handed to
the engine as a relation. NULL semantics: NULL fits every type; a column that is
missing and allowed to be (``missing_columns: null``) is NULL in every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.convert import converter
from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import SchemaDrift
from platform_pipelines.quality import lattice
from platform_pipelines.relations import columns, unused_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from platform_pipelines.spec.quality import SchemaContract

_KEY = "quality.schema_contract"
RULE = "schema_contract"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Change:
    """A column of another type: established, incoming, and what is used from now on."""

    name: str
    before: pa.DataType
    incoming: pa.DataType
    used: pa.DataType

    @property
    def lossless(self) -> bool:
        """Whether every incoming value fits the type that is used."""
        wider = lattice.join(self.used, self.incoming)
        return wider is not None and lattice.same(wider, self.used)

    def __str__(self) -> str:
        """Such as ```age` int32 → int64``."""
        return f"`{self.name}` {self.before} → {self.incoming}"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a batch differs from the established schema, and the schema to use.

    Attributes:
        schema: schema that the batch is brought to, and that is established next.
        new: columns that were not there before.
        missing: established columns that the batch lacks; they become NULL.
        changed: columns whose type changed.
        ignored: new columns that are left out.
        message: one sentence; empty if nothing changed.
    """

    schema: pa.Schema
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A batch brought to the established schema.

    Attributes:
        relation: the rows that fit, columns and types of ``Drift.schema``.
        rejects: the rows that do not, as they came, with the columns
            ``_pipelines_rule``, ``_pipelines_rules`` and ``_pipelines_reason``;
            None where every row fits for certain.
    """

    relation: str
    rejects: str | None = None


def compare(established: pa.Schema | None, incoming: pa.Schema, contract: SchemaContract) -> Drift:
    """Compare a batch with what was agreed on.

    Args:
        established: the schema of the batches before; None for the first one.
        incoming: the schema of this batch.
        contract: what the YAML allows.

    Raises:
        SchemaDrift: the contract refuses a change; names columns, types and key.
    """
    if established is None:
        return Drift(incoming)
    arrived, agreed = frozenset(incoming.names), frozenset(established.names)
    new = tuple(name for name in incoming.names if name not in agreed)
    missing = tuple(name for name in established.names if name not in arrived)
    if new and contract.new_columns == "fail":
        listed = ", ".join(f"`{name}` ({incoming.field(name).type})" for name in new)
        msg = f"New columns: {listed}. `{_KEY}.new_columns: fail` refuses them; allowed besides: add, ignore."
        raise SchemaDrift(msg)
    if missing and contract.missing_columns == "fail":
        listed = ", ".join(f"`{name}` ({established.field(name).type})" for name in missing)
        msg = f"Missing columns: {listed}. `{_KEY}.missing_columns: fail` refuses that; `null` fills them with NULL."
        raise SchemaDrift(msg)
    changed = _changes(established, incoming, contract)
    added = new if contract.new_columns == "add" else ()
    schema = _merge(established, incoming, changed, added)
    ignored = tuple(name for name in new if name not in added)
    return Drift(schema, new, missing, changed, ignored, _message(added, ignored, missing, changed))


def fit(connection: duckdb.DuckDBPyConnection, relation: str, drift: Drift) -> Fitted:
    """Bring the rows of ``relation`` to the schema of ``drift``; views only, nothing is computed yet."""
    have = columns(connection, relation)
    want = _duck_types(connection, drift.schema)
    lossy = {change.name for change in drift.changed if not change.lossless}
    picked, fails, reasons = [], [], []
    for name, target in want.items():
        value = _exact(name, have[name], target) if name in lossy else _cast(name, have.get(name), target)
        picked.append(f"{value} as {quote(name)}")
        if name in lossy:
            fails.append(_misfit(name, have[name], value))
            shown = f"left(cast({quote(name)} as varchar), {_SHOWN})"
            head, tail = literal(f"{name}: '"), literal(f"' does not fit the established type {target}")
            reasons.append(f"case when {fails[-1]} then {head} || {shown} || {tail} end")
    bad, source = " or ".join(fails), quote(relation)
    where = f" where not ({bad})" if bad else ""
    good = _view(connection, f"select {', '.join(picked)} from {source}{where}")
    if not bad:
        return Fitted(good)
    rule = literal(RULE)
    bookkeeping = f"{rule} as _pipelines_rule, [{rule}] as _pipelines_rules, concat_ws('; ', {', '.join(reasons)})"
    rejects = _view(connection, f"select *, {bookkeeping} as _pipelines_reason from {source} where {bad}")
    return Fitted(good, rejects)


def _changes(established: pa.Schema, incoming: pa.Schema, contract: SchemaContract) -> tuple[Change, ...]:
    changes, types = [], {field.name: field.type for field in incoming}
    for field in established:
        if field.name not in types or lattice.same(field.type, types[field.name]):
            continue
        arrived = types[field.name]
        wider = lattice.join(field.type, arrived)
        harmless = wider is not None and lattice.same(wider, field.type)
        if contract.type_changes == "fail" and str(arrived) != "null":
            _refuse(Change(field.name, field.type, arrived, field.type), "fail", "allowed besides: widen, reject")
        if contract.type_changes == "widen" and wider is None:
            advice = (
                "no type holds both exactly. `reject` rejects the rows that do not fit; "
                "`pipelines run NAME --full-refresh` starts over"
            )
            _refuse(Change(field.name, field.type, arrived, field.type), "widen", advice)
        if not harmless:
            used = wider if contract.type_changes == "widen" and wider is not None else field.type
            used = wider if wider is not None and str(field.type) == "null" else used
            changes.append(Change(field.name, field.type, arrived, used))
    return tuple(changes)


def _refuse(change: Change, setting: str, advice: str) -> None:
    msg = f"The type of a column changed: {change}. `{_KEY}.type_changes: {setting}` refuses that: {advice}."
    raise SchemaDrift(msg)


def _merge(
    established: pa.Schema, incoming: pa.Schema, changed: tuple[Change, ...], added: tuple[str, ...]
) -> pa.Schema:
    """Established columns in their order, then the added ones; metadata of the field whose type is used."""
    import pyarrow as pa

    used, found = {change.name: change.used for change in changed}, {field.name: field for field in incoming}
    fields = []
    for field in established:
        kind = used.get(field.name, field.type)
        arrived = found.get(field.name)
        source = arrived if arrived is not None and lattice.same(arrived.type, kind) else field
        fields.append(source.with_type(kind).with_nullable(nullable=True))
    return pa.schema([*fields, *(incoming.field(name) for name in added)])


def _message(
    added: tuple[str, ...], ignored: tuple[str, ...], missing: tuple[str, ...], changed: tuple[Change, ...]
) -> str:
    parts = [
        f"{title}: {', '.join(str(item) for item in items)}"
        for title, items in (
            ("new columns", added),
            ("new columns ignored", ignored),
            ("missing columns filled with NULL", missing),
            ("types changed", changed),
        )
        if items
    ]
    return ("; ".join(parts).capitalize() + ".") if parts else ""


def _cast(name: str, kind: str | None, target: str) -> str:
    if kind is None:
        return f"cast(null as {target})"
    return quote(name) if kind == target else f"cast({quote(name)} as {target})"


def _exact(name: str, kind: str, target: str) -> str:
    if (kind, target) in _ZONES:  # nobody says in which zone the naive ones are
        return f"cast(null as {target})"
    way = _WAYS.get(target.split("(", maxsplit=1)[0])
    if way is None:
        return f"try_cast({quote(name)} as {target})"
    exact = converter(target.lower() if way == "decimal" else way)
    return f"try_cast({exact.sql(quote(name), kind)} as {target})"


def _misfit(name: str, kind: str, value: str) -> str:
    """The condition under which a value is lost: text that says no such value, others that are not given back."""
    column = quote(name)
    lost = "" if kind == "VARCHAR" else f" or cast({value} as {kind}) is distinct from {column}"
    return f"({column} is not null and ({value} is null{lost}))"


_ZONES = frozenset({("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")})
_WAYS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "int"),
    "DECIMAL": "decimal",
    "DOUBLE": "float",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "string",
}


def _duck_types(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> dict[str, str]:
    name = unused_name("schema")
    connection.register(name, schema.empty_table())
    try:
        return columns(connection, name)
    finally:
        connection.unregister(name)


def _view(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    name = unused_name("fitted")
    connection.execute(f"create temp view {quote(name)} as {sql}")
    return name
