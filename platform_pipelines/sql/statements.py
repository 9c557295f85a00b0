"""The statements of a load, alike in PostgreSQL and DuckDB.

The stage holds the arriving rows: one for each key, none with a NULL key. In
which order statements run is left to ``script``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote
from platform_pipelines.sql.tables import FEED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.model import Load
    from platform_pipelines.sql.tables import TableName
    from platform_pipelines.sql.types import ColumnType


@dataclass(frozen=True, slots=True)
class Statements:
    """SQL for one load; the target is called ``t`` and the stage ``s``.

    Attributes:
        table: the target.
        stage: the stage's name in SQL.
        load: what is loaded.
        values: for each column, the expression over ``s`` in the target's type.
        have: the target's columns after its schema has changed.
        marked: whether rows carry ``_pipelines_feed``.
        byte_order: the clause that makes text compare by bytes.
        narrowed: whether new keys are told from a join of the keys that match, not from the whole target.
    """

    table: TableName
    stage: str
    load: Load
    values: Mapping[str, str]
    have: Mapping[str, ColumnType]
    marked: bool
    byte_order: str = ""
    narrowed: bool = False

    @property
    def feed(self) -> str:
        """The feed as a literal."""
        return literal(self.load.feed.id)

    @property
    def _hard(self) -> str | None:
        """The stage's column that marks rows to delete; None where nothing is deleted by a mark."""
        wanted = self.load.delete_action == "hard" and self.load.mode != "append"
        return f"s.{quote(self.load.delete_field)}" if wanted and self.load.delete_field else None

    def delete_all(self) -> str:
        """Empty the table, in a way that readers see only at the commit."""
        return f"delete from {self.table.sql}"

    def delete_feed(self) -> str:
        """Remove what the feed had loaded."""
        return f"delete from {self.table.sql} where {quote(FEED)} = {self.feed}"

    def any_of_feed(self) -> str:
        """The query for a row that the feed had loaded."""
        return f"select 1 from {self.table.sql} where {quote(FEED)} = {self.feed} limit 1"

    def delete_absent(self) -> str:
        """Remove what the feed had loaded and does not bring any more."""
        return (
            f"delete from {self.table.sql} as t where t.{quote(FEED)} = {self.feed} "
            f"and not exists (select 1 from {self.stage} as s where {self._same_key()})"
        )

    def delete_repeated(self) -> str:
        """Remove what the feed had loaded under another key, and the key of this load does not tell apart."""
        keys = [quote(name) for name in self.load.key]
        same = " and ".join(f"t.{key} = d.{key}" for key in keys)
        repeated = f"select {', '.join(keys)} from {self.table.sql} group by {', '.join(keys)} having count(*) > 1"
        return (
            f"delete from {self.table.sql} as t where t.{quote(FEED)} = {self.feed} "
            f"and exists (select 1 from ({repeated}) as d where {same})"
        )

    def delete_keys(self) -> str:
        """Remove rows whose key is in the stage."""
        return self._delete_matching(self._own())

    def delete_marked(self) -> str | None:
        """Remove rows that the stage marks as deleted; None where it marks none."""
        if self._hard is None:
            return None
        return self._delete_matching(f" and {self._hard} is not null{self._newer()}")

    def _delete_matching(self, condition: str = "") -> str:
        return (
            f"delete from {self.table.sql} as t "
            f"where exists (select 1 from {self.stage} as s where {self._same_key()}{condition})"
        )

    def update(self) -> str:
        """Overwrite rows that are there, unless they are newer than what arrives."""
        return (
            f"update {self.table.sql} as t set {self._setters()} from {self.stage} as s "
            f"where {self._same_key()}{self._alive()}{self._newer()}{self._own()}"
        )

    def merge(self) -> str:
        """What :meth:`update` and :meth:`insert_new` do, with one search for the keys; where the database knows it."""
        targets = self._targets()
        return (
            f"merge into {self.table.sql} as t using {self.stage} as s on {self._same_key()} "
            f"when matched{self._alive()}{self._newer()}{self._own()} then update set {self._setters()} "
            f"when not matched{self._alive()} then insert ({', '.join(targets)}) values ({', '.join(targets.values())})"
        )

    def _setters(self) -> str:
        changed = {quote(name): value for name, value in self.values.items() if name not in self.load.key}
        if self.marked:
            changed[quote(FEED)] = self.feed
        if not changed:  # a key and nothing else: the row counts as written
            name = self.load.key[0]
            changed[quote(name)] = self.values[name]
        return ", ".join(f"{name} = {value}" for name, value in changed.items())

    def insert_new(self) -> str:
        """Insert rows whose key is not there."""
        there = self._matching() if self.narrowed else self.table.sql
        return f"{self._insert()} where not exists (select 1 from {there} as t where {self._same_key()}){self._alive()}"

    def _matching(self) -> str:
        """Keys of the target that are in the stage."""
        keys = ", ".join(f"t.{quote(name)}" for name in self.load.key)
        return f"(select {keys} from {self.table.sql} as t join {self.stage} as s on {self._same_key()})"

    def count_marked(self) -> str | None:
        """The query for the rows that the stage marks as deleted; None where it marks none."""
        return f"select count(*) from {self.stage} as s where {self._hard} is not null" if self._hard else None

    def count_applicable(self) -> str:
        """The query for the staged rows that an update or delete applies to."""
        newer = "" if self.load.mode == "delete" else self._newer()
        return (
            f"select count(*) from {self.stage} as s "
            f"where exists (select 1 from {self.table.sql} as t where {self._same_key()}{newer}{self._own()})"
        )

    def insert_all(self) -> str:
        """Insert every row but those that are marked as deleted."""
        return f"{self._insert()}{self._alive().replace(' and ', ' where ', 1)}"

    def _insert(self) -> str:
        targets = self._targets()
        return (
            f"insert into {self.table.sql} ({', '.join(targets)}) "
            f"select {', '.join(targets.values())} from {self.stage} as s"
        )

    def _targets(self) -> dict[str, str]:
        """What each column of a new row gets."""
        targets = {quote(name): value for name, value in self.values.items()}
        return targets | ({quote(FEED): self.feed} if self.marked else {})

    def _same_key(self) -> str:
        return " and ".join(f"t.{quote(name)} = {self.values[name]}" for name in self.load.key)

    def _alive(self) -> str:
        return f" and {self._hard} is null" if self._hard else ""

    def _own(self) -> str:
        """Whether the feed wrote the row that is there, where only its own may be touched."""
        return f" and t.{quote(FEED)} = {self.feed}" if self.load.own else ""

    def _newer(self) -> str:
        """Whether the arriving version may overwrite the one that is there.

        One without a cursor overwrites what its own feed loaded before: it was read later.
        """
        name = self.load.cursor
        if name is None or name not in self.have or name not in self.values:
            return ""
        order = self.byte_order if self.have[name].family == "text" else ""
        column = f"t.{quote(name)}{order}"
        own = f" or t.{quote(FEED)} = {self.feed}" if self.marked else ""
        if own and not self.load.fresh:
            own = f" or (t.{quote(FEED)} = {self.feed} and {self.values[name]} is null)"
        return f" and ({self.values[name]} >= {column} or {column} is null{own})"
