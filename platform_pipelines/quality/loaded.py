"""The ``unique`` rule with a ``scope``: equal fields in the batch, or in what a destination holds.

What counts is the state after the load. Where the destination merges or updates
by a key, rows of one key are versions of one row: none of them is a duplicate of
another, and a version that a newer one replaces, in the batch or at the
destination, is not looked at. Of rows of the batch with equal fields and
different keys the one with the highest cursor is kept, then that with the
smallest key. Where rows are appended, every row counts, and ``duplicates`` finds
those within the batch.

Rows that were judged and wait to be loaded count as loaded. NULL semantics:
NULLs are distinct. Memory: the columns concerned of the rows that wait, and of
those loaded rows that share their fields with a row of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.kernels import call
from platform_pipelines.quality import duplicates
from platform_pipelines.quality.rowtest import RowTest
from platform_pipelines.quality.words import concat, shown
from platform_pipelines.relations import columns, comparable, count, stage, unused_name
from platform_pipelines.rowsql import FILE, ROW, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.quality.duplicates import Duplicates
    from platform_pipelines.quality.words import Mask
    from platform_pipelines.relations import Holding
    from platform_pipelines.spec.rules import Unique

#: the order in which rows arrived: 0 for what is loaded
_ARRIVAL = "_pipelines_arrival"


@dataclass(slots=True)
class Taken:
    """Tests one unique rule against what is loaded; see :class:`Tester`.

    Attributes:
        test: the rule.
        sql: true where another row has a right to the fields.
        name: of the column that holds it.
        inner: finds doubles among the rows of the batch; None where ``sql`` says that too, or there are none.
    """

    test: RowTest
    sql: str
    name: str
    inner: Duplicates | None = None

    @property
    def tests(self) -> Sequence[RowTest]:
        """The one test it runs."""
        return [self.test]

    @property
    def extra(self) -> Sequence[str]:
        """The verdict, and what the search for doubles wants."""
        return [f"{self.sql} as {quote(self.name)}", *(self.inner.extra if self.inner else ())]

    @property
    def suspects(self) -> str | None:
        """Fields that are taken, or may be doubles."""
        if self.inner is None:
            return self.sql
        return None if self.inner.suspects is None else f"{self.sql} or {self.inner.suspects}"

    def failing(self, rows: pa.RecordBatch, extra: pa.RecordBatch) -> list[Mask | None]:
        """The mask of rows whose fields are taken."""
        mask: Any = extra.column(self.name)
        (doubles,) = self.inner.failing(rows, extra) if self.inner else [None]
        mask = mask if doubles is None else call("or", mask, doubles)
        return [mask if mask.true_count else None]


def find(  # noqa: PLR0913 - the batch in three parts, the rule in three
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    cursor: str | None,
    holding: Holding,
    *,
    rule: Unique,
    order: int,
) -> Taken | RowTest:
    """Look for rows whose fields are taken; where there are none, the test, which is settled."""
    statement = f"{', '.join(rule.fields)} must occur once in the batch and in destination {rule.scope}"
    test = RowTest(order, rule.id, rule.type, rule.severity, statement, _reasons(rule))
    search = _Search(connection, relation, rule.fields, holding.key, cursor)
    held = search.held(holding)
    inner = None if holding.key else duplicates.find(connection, relation, rule.fields, cursor, test)
    names, failing = search.versioned(held) if holding.key else search.present(held)
    if inner is None and not count(connection, failing):
        return test
    sql = f"coalesce({_row('input', names)} in (select taken from {quote(failing)}), false)"
    return Taken(test, sql, unused_name("taken"), inner)


def _reasons(rule: Unique) -> Callable[[pa.RecordBatch], pa.StringArray]:
    """Reasons such as ``email: 'a@b.c' is taken by another row of the batch or of destination warehouse``."""

    def reasons(rows: pa.RecordBatch) -> pa.StringArray:
        texts = concat(*[shown(rows.column(name)) for name in rule.fields], separator="', '")
        ending = f"' is taken by another row of the batch or of destination {rule.scope}"
        return concat(f"{', '.join(rule.fields)}: '", texts, ending)

    return reasons


@dataclass(frozen=True)
class _Search:
    """One search; in SQL the batch is called ``b``, what is held ``h``."""

    connection: duckdb.DuckDBPyConnection
    relation: str
    fields: tuple[str, ...]
    key: tuple[str, ...]
    cursor: str | None
    types: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", columns(self.connection, self.relation))

    def held(self, holding: Holding) -> str:
        """A table of what will be there without this batch: the newest version of each row, with its arrival."""
        waiting = self._waiting(holding)
        parts = [each for each in (self._stored(holding, waiting), waiting) if each is not None]
        known = [name for name in self._names if any(name in columns(self.connection, part) for part in parts)]
        everything = " union all by name ".join(f"select * from {quote(part)}" for part in parts)
        nothing = (
            f"select {_listed((*self.key, *self.fields))}, 0 as {_ARRIVAL} from {quote(self.relation)} where false"
        )
        newest = ""
        if self.key and waiting is not None:
            latest = f"{quote(self.cursor)} desc nulls last, " if self.cursor in known and self.cursor else ""
            newest = (
                f" qualify row_number() over (partition by {_listed(self.key)} order by {latest}{_ARRIVAL} desc) = 1"
            )
        return self._table("held", f"select * from ({everything or nothing}){newest}")

    def present(self, held: str) -> tuple[Sequence[str], str]:
        """Field values of the batch that are held, in a table."""
        return self.fields, self._table(
            "failing",
            f"select distinct {_row('b', self.fields)} as taken from {quote(self.relation)} b "
            f"where {self._filled} and exists (select 1 from {quote(held)} h where {self._same(held, self.fields)})",
        )

    def versioned(self, held: str) -> tuple[Sequence[str], str]:
        """Rows of the batch (by key, fields and cursor) whose fields another key has a right to, in a table.

        A row that fails replaces nothing: what it would have replaced stays, and may be in
        the way of others. So the search is repeated without the failing rows until none is found.
        """
        row = _row("b", self._names)
        source = quote(self.relation)
        failing = self._table("failing", f"select {row} as taken from {source} b where false")
        while True:
            found = self._table("found", self._losers(held, failing))
            if not count(self.connection, found):
                return self._names, failing
            self.connection.execute(f"insert into {quote(failing)} from {quote(found)}")

    def _losers(self, held: str, failing: str) -> str:
        """The query for rows whose fields another key has a right to, once those of ``failing`` are gone."""
        cursor = quote(self.cursor) if self.cursor else "null"
        left = f"{_row('b', self._names)} not in (select taken from {quote(failing)})"
        newest = self._table(
            "newest",
            f"select distinct {_listed(self._names)} from (select b.*, max({cursor}) over (partition by "
            f"{_listed(self.key)}) as _best from {quote(self.relation)} b where {left}) "
            f"where {cursor} is not distinct from _best",
        )
        rivals = self._table("rivals", self._rivals(newest, held))
        return (
            f"select distinct {_row('b', self._names)} as taken from {quote(newest)} b join {quote(rivals)} h "
            f"on {self._same(rivals, self.fields)} and not coalesce({self._same(rivals, self.key)}, false) "
            f"where {self._filled}"
        )

    def _rivals(self, newest: str, held: str) -> str:
        """Who has a right to field values: rows held that the batch does not replace, and the best of the batch."""
        replaced = self._same(held, self.key)
        if self.cursor and self.cursor in columns(self.connection, held):
            ours, theirs = self._pair(held, self.cursor)
            replaced += f" and ({ours} >= {theirs} or {theirs} is null)"
        latest = f"{quote(self.cursor)} desc nulls last, " if self.cursor else ""
        picked = _listed((*self.key, *self.fields))
        return (
            f"select {picked} from {quote(held)} h "
            f"where not exists (select 1 from {quote(newest)} b where {replaced}) "
            f"union all by name (select {picked} from {quote(newest)} "
            f"qualify row_number() over (partition by {_listed(self.fields)} order by {latest}{_listed(self.key)}) = 1)"
        )

    def _stored(self, holding: Holding, waiting: str | None) -> str | None:
        """A table of the loaded rows that have to do with the batch; None where there are none."""
        reader = holding.stored()
        if reader is None or not {*self.fields, *self.key} <= set(reader.schema.names):
            return None  # a column that nothing loaded has holds no value to meet
        staged = _typed(self.connection, reader.schema)
        condition = f"exists (select 1 from {quote(self.relation)} b where {self._same(staged, self.fields)})"
        if self.key and waiting is not None:
            theirs = columns(self.connection, waiting)
            same = _equal("w", theirs, "h", columns(self.connection, staged), self.key)
            condition += f" or exists (select 1 from {quote(waiting)} w where {same})"
        rows = stage(self.connection, "stored", reader, f"h where {condition}")
        return self._table("stored", f"select *, 0 as {_ARRIVAL} from {quote(rows)}")

    def _waiting(self, holding: Holding) -> str | None:
        """A table of the rows that wait to be loaded; None where there are none."""
        if not holding.waiting.paths:
            return None
        files = placed(holding.waiting)
        have = [row[0] for row in self.connection.execute(f"describe select * from {files}").fetchall()]
        if not {*self.fields, *self.key} <= set(have):
            return None
        names = _listed([name for name in self._names if name in have])
        arrival = f"row_number() over (order by {FILE}, {ROW}) as {_ARRIVAL}"
        return self._table("waiting", f"select {names}, {arrival} from {files}")

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.key, *self.fields, *([self.cursor] if self.cursor else [])]))

    @property
    def _filled(self) -> str:
        return " and ".join(f"b.{quote(name)} is not null" for name in self.fields)

    def _pair(self, held: str, name: str) -> tuple[str, str]:
        theirs = columns(self.connection, held)[name]
        return comparable(f"b.{quote(name)}", self.types[name], f"h.{quote(name)}", theirs)

    def _same(self, held: str, names: Sequence[str]) -> str:
        return _equal("b", self.types, "h", columns(self.connection, held), names)

    def _table(self, hint: str, query: str) -> str:
        name = unused_name(hint)
        self.connection.execute(f"create temp table {quote(name)} as {query}")
        return name


def _equal(
    left: str, left_types: Mapping[str, str], right: str, right_types: Mapping[str, str], names: Sequence[str]
) -> str:
    pairs = [
        comparable(f"{left}.{quote(name)}", left_types[name], f"{right}.{quote(name)}", right_types[name])
        for name in names
    ]
    return " and ".join(f"{ours} = {theirs}" for ours, theirs in pairs)


def _typed(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> str:
    """An empty table with the columns of a schema, for their types in DuckDB."""
    return stage(connection, "typed", schema.empty_table().to_reader())


def _listed(names: Sequence[str]) -> str:
    """Columns by name, each once: a rule may be about columns of the key."""
    return ", ".join(quote(name) for name in dict.fromkeys(names))


def _row(alias: str, names: Sequence[str]) -> str:
    """Several columns as one value that is never NULL, and in which NULL equals NULL."""
    return f"{{{', '.join(f'{quote(name)}: {alias}.{quote(name)}' for name in names)}}}"
