"""A load into a SQL table, in the one order that keeps every promise.

Lock, check the offset, fit the schema, stage, take back what a new epoch
replaces, write, count, move the offset, commit. Where the types do not tell
whether values fit, staging comes first. How a database does each step
is left to its connector, which passes a :class:`Database` inside an open
transaction; leaving by an exception must roll that transaction back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.errors import AccountingError, SchemaDrift
from platform_pipelines.model import Receipt
from platform_pipelines.sql import evolve, offsets
from platform_pipelines.sql.keys import repeated
from platform_pipelines.sql.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from platform_pipelines.model import Load, LoadPlan, Offset
    from platform_pipelines.sql.evolve import Changes, Column
    from platform_pipelines.sql.tables import TableName
    from platform_pipelines.sql.types import ColumnType

#: the stage's name in SQL
STAGE = "_pipelines_stage"


class Database(evolve.Types, Protocol):
    """A transaction on a database, as the script needs it."""

    #: the clause that makes text compare by bytes
    byte_order: str
    #: whether keys that are new are found faster by way of those that match
    narrowed: bool

    def execute(self, sql: str) -> int:
        """Run a statement; rows it wrote."""

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Run a query; its rows."""

    def prepare(self, table: TableName) -> None:
        """Serialize loads into the table and see that its schema and ``_pipelines_loads`` exist."""

    def columns(self, table: TableName) -> dict[str, ColumnType] | None:
        """The table's columns; None if there is no such table."""

    def check(self, table: TableName, have: Mapping[str, ColumnType] | None, found: Changes) -> None:
        """See that the database can have such columns.

        Raises:
            InvalidData: a name that it cannot have, or more columns than it can.
        """

    def evolve(self, table: TableName, plan: LoadPlan, found: Changes) -> None:
        """Make the changes."""

    def direct(self, table: TableName, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int | None:
        """Write the rows straight into the table; None if the database would rather stage them."""

    def stage(self, load: Load, found: Changes, batches: pa.RecordBatchReader) -> int:
        """Make the rows a relation named :data:`STAGE`; the rows in it."""

    def value(self, column: Column) -> str:
        """The staged column, over the alias ``s``, in the type of the target."""

    def merges(self, table: TableName) -> bool:
        """Whether the table takes the statement ``MERGE``, and gains by it."""

    def seal(self, table: TableName, load: Load) -> None:
        """Finish a table that this load created."""

    def written(self) -> int:
        """Bytes that were sent or read for this load."""


def run_load(database: Database, table: TableName, load: Load, batches: pa.RecordBatchReader) -> Receipt:
    """Write rows and offset; the caller commits.

    Raises:
        OffsetConflict: the stored offset is not ``load.previous``.
        SchemaDrift: the table cannot hold what arrives.
        AccountingError: the rows that arrived are not the rows that were announced.
    """
    database.prepare(table)
    have = database.columns(table)
    offsets.check(load, _stored(database, table, load, exists=have is not None))
    found = evolve.changes(have, load, database)
    database.check(table, have, found)
    staged = None
    if doubts := evolve.doubts(found):
        staged = database.stage(load, found, batches)
        found = evolve.fitted(found, _largest(database, doubts), load, database)
    plan = evolve.statements(table, found, load, database)
    _allow(load, plan)
    database.evolve(table, plan, found)
    values = {c.name: database.value(c) for c in found.columns}
    targets = {**(have or {}), **{c.name: c.target for c in found.columns}}
    sql = Statements(table, STAGE, load, values, targets, found.feed, database.byte_order, database.narrowed)
    staged, applied = _write(database, sql, found, batches, staged)
    if found.create:
        database.seal(table, load)
    if staged != load.rows:
        msg = f"{load.rows} rows were announced for {load.table}, but {staged} arrived. Nothing was written."
        raise AccountingError(msg)
    database.execute(offsets.store(table, load))
    return Receipt(staged, applied, staged - applied, database.written(), plan.ddl + plan.destructive)


def _stored(database: Database, table: TableName, load: Load, *, exists: bool) -> Offset | None:
    """What the table holds of the feed; one that somebody dropped took along what every feed had loaded."""
    if exists:
        return offsets.read(database.query(offsets.select(table, load.feed)))
    database.execute(offsets.forget_others(table, load.feed))
    return None


def _allow(load: Load, plan: LoadPlan) -> None:
    if plan.destructive and not load.allow_destructive:
        msg = (
            f"This load would lose values of {load.table}: {'; '.join(plan.destructive)}. "
            "Run it with `--allow-destructive` if that is meant."
        )
        raise SchemaDrift(msg)


def _largest(database: Database, columns: list[Column]) -> dict[str, int]:
    """The largest staged integer of each column, without its sign; 0 where there is none."""
    each = ", ".join(f"coalesce(max(abs({quote(c.name)}::numeric(38))), 0)" for c in columns)
    return dict(zip((c.name for c in columns), map(int, database.query(f"select {each} from {STAGE}")[0]), strict=True))


def _write(
    database: Database, sql: Statements, found: Changes, batches: pa.RecordBatchReader, staged: int | None
) -> tuple[int, int]:
    """Rows that arrived, and those of them that were applied; ``staged``: rows that are staged already."""
    load = sql.load
    take_back = _starts_over(load) and not found.create and not found.add_feed
    if take_back and load.mode in {"append", "replace"}:
        database.execute(sql.delete_feed() if found.feed else sql.delete_all())
    if staged is None and _only_inserts(database, sql, found):
        count = database.direct(sql.table, load, found, batches)
        if count is not None:
            return count, count
    if staged is None:
        staged = database.stage(load, found, batches)
    if load.mode in {"append", "replace"}:
        return staged, _insert(database, sql)
    if load.mode == "merge":
        return staged, _merge(database, sql, staged, take_back=take_back)
    return staged, _touch(database, sql)


def _starts_over(load: Load) -> bool:
    """Whether what the feed had loaded is replaced: by a new epoch, or because there is no offset of it."""
    return load.fresh or load.previous is None


def _only_inserts(database: Database, sql: Statements, found: Changes) -> bool:
    """Whether the load comes down to inserting all rows."""
    load = sql.load
    if load.delete_field and load.delete_action == "hard" and load.mode != "append":
        return False
    if load.mode in {"append", "replace"} or found.create:
        return True
    return load.mode == "merge" and not database.query(f"select 1 from {sql.table.sql} limit 1")


def _insert(database: Database, sql: Statements) -> int:
    """Insert all rows; those marked as deleted are applied by leaving them out."""
    marked = sql.count_marked()
    deleted = database.query(marked)[0][0] if marked else 0
    return database.execute(sql.insert_all()) + int(deleted)


def _merge(database: Database, sql: Statements, staged: int, *, take_back: bool) -> int:
    """Delete, update and insert by key.

    Raises:
        InvalidData: the table holds a key twice.
    """
    if take_back and database.query(sql.any_of_feed()):
        database.execute(sql.delete_absent())
        database.execute(sql.delete_repeated())
    marked = sql.delete_marked()
    applied = database.execute(marked) if marked else 0
    if database.merges(sql.table):
        applied += database.execute(sql.merge())
    else:
        applied += database.execute(sql.update())
        applied += database.execute(sql.insert_new())
    if applied > staged:
        raise repeated(sql.table.text, sql.load)
    return applied


def _touch(database: Database, sql: Statements) -> int:
    """Update or delete rows that are there; a key may name several of them, so the stage is what is counted."""
    applied = int(database.query(sql.count_applicable())[0][0])
    if sql.load.mode == "delete":
        database.execute(sql.delete_keys())
        return applied
    marked = sql.delete_marked()
    if marked:
        database.execute(marked)
    database.execute(sql.update())
    return applied
