"""Schema evolution: what must change at a table before a load fits into it.

Only what to change is decided here. When it runs is left to ``script``, and how
types are called to the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SchemaDrift
from platform_pipelines.sql.keys import need_key
from platform_pipelines.sql.tables import FEED
from platform_pipelines.sql.types import TEXT, grown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from platform_pipelines.model import Load, LoadPlan
    from platform_pipelines.sql.tables import TableName
    from platform_pipelines.sql.types import ColumnType


class Types(Protocol):
    """A database's words for types."""

    def incoming(self, field: pa.Field[Any]) -> ColumnType:
        """The type that a new column for ``field`` gets."""

    def render(self, column: ColumnType) -> str:
        """The type in SQL."""

    def holds(self, column: ColumnType) -> bool:
        """Whether the database has the type, rather than text in place of it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a load.

    Attributes:
        name: its name.
        incoming: the type that arrives.
        target: the type of the destination's column once the changes are made.
    """

    name: str
    incoming: ColumnType
    target: ColumnType


@dataclass(frozen=True, slots=True)
class Changes:
    """What a load needs of its table.

    Attributes:
        create: whether the table is new.
        columns: the columns of the load.
        add: columns to add.
        widen: columns whose type grows, keeping all values.
        recreate: columns whose type changes so that old values are lost.
        feed: whether rows of this load say which feed brought them.
        add_feed: whether the column for that is missing yet.
    """

    create: bool
    columns: tuple[Column, ...]
    add: tuple[Column, ...] = ()
    widen: tuple[Column, ...] = ()
    recreate: tuple[Column, ...] = ()
    feed: bool = False
    add_feed: bool = False


def marks_feed(load: Load) -> bool:
    """Whether rows of this load carry ``_pipelines_feed``."""
    return load.mode in {"append", "merge"} or (load.mode == "replace" and load.feed.partition is not None)


def changes(have: Mapping[str, ColumnType] | None, load: Load, types: Types) -> Changes:
    """Compare a table with a load.

    Args:
        have: the table's columns; None if there is no such table.
        load: what is to be loaded.
        types: the database's types.

    Raises:
        InvalidData: update and delete need a table that exists, and rows a key to be found by.
        SchemaDrift: a column's type cannot hold what arrives.
    """
    fields = [f for f in load.schema if load.mode != "delete" or f.name in load.key]
    arriving = {f.name: types.incoming(f) for f in fields}
    if have is None:
        _need_table(load)
        columns = tuple(Column(name, kind, kind if kind.family != "null" else TEXT) for name, kind in arriving.items())
        return Changes(create=True, columns=columns, feed=marks_feed(load))
    need_key(have, load)
    plan: dict[str, list[Column]] = {"keep": [], "add": [], "widen": [], "recreate": []}
    for name, kind in arriving.items():
        column, action = _compare(name, kind, have.get(name), load, types)
        plan[action].append(column)
    every = {c.name: c for found in plan.values() for c in found}
    return Changes(
        create=False,
        columns=tuple(every[name] for name in arriving),
        add=tuple(plan["add"]),
        widen=tuple(plan["widen"]),
        recreate=tuple(plan["recreate"]),
        feed=marks_feed(load),
        add_feed=marks_feed(load) and FEED not in have,
    )


def _compare(name: str, arriving: ColumnType, have: ColumnType | None, load: Load, types: Types) -> tuple[Column, str]:
    if have is None:
        return Column(name, arriving, arriving if arriving.family != "null" else TEXT), "add"
    target = grown(have, arriving)
    if target == have:
        return Column(name, arriving, have), "keep"
    if target is not None and types.holds(target):
        return Column(name, arriving, target), "widen"
    if load.fresh and name not in load.key:
        return Column(name, arriving, arriving), "recreate"
    msg = (
        f"Column {name!r} of {load.table} is {types.render(have)}, but {types.render(arriving)} arrives, and no type "
        "holds both exactly. Convert it in a `map` transform, set `schema_contract.type_changes: reject`, or re-create "
        "the column with `pipelines run NAME --full-refresh --allow-destructive`."
    )
    raise SchemaDrift(msg)


def _need_table(load: Load) -> None:
    if load.mode in {"update", "delete"}:
        msg = (
            f"Table {load.table} does not exist, and mode {load.mode} only touches rows that exist. "
            "Create the table, or use mode merge."
        )
        raise InvalidData(msg)


def statements(table: TableName, found: Changes, load: Load, types: Types) -> LoadPlan:
    """The changes as SQL: those that only add or widen, and those that lose values."""
    from platform_pipelines.model import LoadPlan

    if found.create:
        return LoadPlan((create_table(table, found, load, types),))
    alter = f"alter table {table.sql}"
    ddl = [f"{alter} add column {quote(c.name)} {types.render(c.target)}" for c in found.add]
    if found.add_feed:
        ddl.append(f"{alter} add column {quote(FEED)} {types.render(TEXT)}")
    ddl += [f"{alter} alter column {quote(c.name)} type {types.render(c.target)}" for c in found.widen]
    lossy = tuple(
        f"{alter} alter column {quote(c.name)} type {types.render(c.target)} using null" for c in found.recreate
    )
    return LoadPlan(tuple(ddl), lossy)


def create_table(table: TableName, found: Changes, load: Load, types: Types) -> str:
    """The statement that creates the table; key columns are NOT NULL."""
    columns = [
        f"{quote(c.name)} {types.render(c.target)}{' not null' if c.name in load.key else ''}" for c in found.columns
    ]
    if found.feed:
        columns.append(f"{quote(FEED)} {types.render(TEXT)}")
    return f"create table {table.sql} ({', '.join(columns)})"
