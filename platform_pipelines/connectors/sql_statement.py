"""The statement of a read: identifiers quoted by the dialect, bounds as bound values.

Where a database compares otherwise than we do (times in SQLite are text, text
elsewhere has collations), the bound is left out and applied to the rows here.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.sql_values import schema_of
from platform_pipelines.errors import InvalidData
from platform_pipelines.sql.predicates import Condition, conditions, families
from platform_pipelines.sql.queries import BOOKKEEPING

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import ColumnElement, Engine, FromClause, Select

    from platform_pipelines.model import Stream, Window

_NUMBERS = frozenset({"int", "decimal", "float", "bool"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A read, prepared.

    Attributes:
        stream: its name.
        statement: what is run.
        schema: Arrow schema of the rows; columns of a query whose types are not known yet are null.
        bounded: whether the statement applies the whole window.
    """

    stream: str
    statement: Select[Any]
    schema: pa.Schema
    bounded: bool


def prepare(engine: Engine, stream: Stream, window: Window, only: frozenset[str] | None = None) -> Reading:
    """The statement for a stream and a window.

    Args:
        engine: asked for the table's columns.
        stream: a table as ``table`` or ``schema.table``; options query, columns, where.
        window: what to read.
        only: the columns to read; None for all or those of the option.

    Raises:
        InvalidData: no such table or column.
    """
    from sqlalchemy import select, text

    relation, schema = _relation(engine, stream)
    wanted = _wanted(stream, schema, only)
    found = conditions(window, families(schema)) if not _unknown(schema, window) else ()
    pushed = [c for c in found if _can_push(engine.dialect.name, c)]
    statement = select(*(relation.c[name] for name in wanted)).select_from(relation)
    if stream.options.get("where"):
        statement = statement.where(text(f"({stream.options['where']}\n)"))
    for condition in pushed:
        statement = statement.where(_clause(engine.dialect.name, relation.c[condition.field], condition))
    import pyarrow as pa

    kept = pa.schema([schema.field(name) for name in wanted])
    return Reading(stream.name, statement, kept, bounded=len(pushed) == len(found) and not _unknown(schema, window))


def _relation(engine: Engine, stream: Stream) -> tuple[FromClause, pa.Schema]:
    from sqlalchemy import column, inspect, table

    query = stream.options.get("query")
    if query:
        return _query(engine, stream, str(query))
    inspector = inspect(engine)
    schema, _, name = stream.name.rpartition(".")
    if not inspector.has_table(name, schema or None) and name not in inspector.get_view_names(schema or None):
        known = sorted({*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)})
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"There is no table {stream.name!r}. Tables: {', '.join(known[:20]) or 'none'}.{hint}"
        raise InvalidData(msg)
    types = {c["name"]: c["type"] for c in inspector.get_columns(name, schema or None)}
    return table(name, *(column(n) for n in types), schema=schema or None), schema_of(types)


def _query(engine: Engine, stream: Stream, query: str) -> tuple[FromClause, pa.Schema]:
    """A query as a relation; its columns have the types landed before, or those of the first rows."""
    import pyarrow as pa
    from sqlalchemy import column, text

    body = query.strip().rstrip(";")
    with engine.connect() as connection:
        names = list(connection.execute(text(f"select * from ({body}\n) q where 1 = 0")).keys())
    expected = stream.expected
    fields = []
    for name in names:
        place = -1 if expected is None else expected.get_field_index(name)
        fields.append(pa.field(name, pa.null()) if expected is None or place < 0 else expected.field(place))
    return text(body).columns(*(column(n) for n in names)).subquery("q"), pa.schema(fields)


def _unknown(schema: pa.Schema, window: Window) -> bool:
    """Whether the window's fields have no type yet, so that rows must be compared once they are there."""
    import pyarrow.types as t

    fields = {window.field, window.partition.field if window.partition else None}
    return any(field.name in fields and t.is_null(field.type) for field in schema)


def _wanted(stream: Stream, schema: pa.Schema, only: frozenset[str] | None) -> list[str]:
    chosen = stream.options.get("columns")
    if only is not None:
        chosen = sorted(only)
    if chosen is None:
        return [name for name in schema.names if not name.startswith(BOOKKEEPING)]
    missing = [name for name in chosen if name not in schema.names]
    if missing:
        msg = f"Stream {stream.name!r} has no column {missing[0]!r}. Its columns: {', '.join(schema.names)}."
        raise InvalidData(msg)
    return list(chosen)


def _can_push(dialect: str, condition: Condition) -> bool:
    if condition.family in _NUMBERS:
        return True
    if condition.family in _TIMES:
        return dialect != "sqlite"
    return dialect in {"sqlite", "postgresql"}


def _clause(dialect: str, field: ColumnElement[Any], condition: Condition) -> ColumnElement[bool]:
    from sqlalchemy import and_, collate, literal, or_

    compared = collate(field, "C") if dialect == "postgresql" and condition.family == "string" else field

    def bound(text: str) -> ColumnElement[Any]:
        return literal(_value(condition, text))

    parts = []
    if condition.low is not None:
        parts.append(compared >= bound(condition.low))
    if condition.high is not None:
        parts.append(compared < bound(condition.high))
    if condition.equal is not None:
        parts.append(field == bound(condition.equal))
    clause = and_(*parts)
    return or_(clause, field.is_(None)) if condition.or_null else clause


def _value(condition: Condition, text: str) -> Any:  # noqa: ANN401 - a value of the column's family
    if condition.family == "int":
        return int(Decimal(text).to_integral_value(rounding="ROUND_CEILING"))
    if condition.family in {"decimal", "float"}:
        return Decimal(text) if condition.family == "decimal" else float(text)
    if condition.family == "date":
        return dt.date.fromisoformat(text)
    if condition.family in _TIMES:
        moment = dt.datetime.fromisoformat(text)
        return moment.replace(tzinfo=dt.UTC) if condition.family == "timestamptz" else moment
    return text
