"""Schema evolution: what must change at a table before a load fits into it.

Only what to change is decided here. When it runs is left to ``script``, and how
types are called to the database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SchemaDrift
from platform_pipelines.sql.keys import need_key
from platform_pipelines.sql.tables import FEED
from platform_pipelines.sql.types import TEXT, doubtful, grown, with_room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


_ACTIONS = ("add", "widen", "recreate")


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
    compared = [_compare(Column(name, kind, kind), have.get(name), load, types) for name, kind in arriving.items()]
    return _sorted(
        compared,
        Changes(create=False, columns=(), feed=marks_feed(load), add_feed=marks_feed(load) and FEED not in have),
    )


def doubts(found: Changes) -> list[Column]:
    """Columns that hold what arrives only as far as its values go; :func:`fitted` wants to know the largest."""
    return [c for c in found.columns if doubtful(c.target, c.incoming)]


def fitted(found: Changes, largest: Mapping[str, int], load: Load, types: Types) -> Changes:
    """The changes, with room for integers whose types alone do not tell how much they need.

    Args:
        found: the changes as the types ask for them.
        largest: the largest integer that arrives in each such column, without its sign.
        load: what is to be loaded.
        types: the database's types.

    Raises:
        SchemaDrift: a column would round an integer.
    """
    actions = {c.name: action for action in _ACTIONS for c in getattr(found, action)}
    compared = [(c, actions.get(c.name, "keep")) for c in found.columns]
    return _sorted([_with_room(c, action, largest.get(c.name, 0), load, types) for c, action in compared], found)


def _with_room(column: Column, action: str, largest: int, load: Load, types: Types) -> tuple[Column, str]:
    target = with_room(column.target, largest) if doubtful(column.target, column.incoming) else column.target
    if target == column.target:
        return column, action
    return _changed(column, target, load, types, f"the integer {largest}")


def _sorted(compared: Sequence[tuple[Column, str]], found: Changes) -> Changes:
    """``found`` with these columns and what is to become of them."""
    add, widen, recreate = (tuple(c for c, wanted in compared if wanted == action) for action in _ACTIONS)
    return replace(found, columns=tuple(c for c, _ in compared), add=add, widen=widen, recreate=recreate)


def _compare(column: Column, have: ColumnType | None, load: Load, types: Types) -> tuple[Column, str]:
    if have is None:
        return (replace(column, target=TEXT) if column.incoming.family == "null" else column), "add"
    target, column = grown(have, column.incoming), replace(column, target=have)
    if target == have:
        return column, "keep"
    return _changed(column, target, load, types, types.render(column.incoming))


def _changed(column: Column, target: ColumnType | None, load: Load, types: Types, arriving: str) -> tuple[Column, str]:
    """The column with another type than the one it has, and what that makes of the values that are there.

    Raises:
        SchemaDrift: no type holds both, and the rows that are there are not to be replaced.
    """
    if target is not None and types.holds(target):
        return replace(column, target=target), "widen"
    if load.fresh and column.name not in load.key:
        return replace(column, target=column.incoming), "recreate"
    msg = (
        f"Column {column.name!r} of {load.table} is {types.render(column.target)}, but {arriving} arrives, and no type "
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
