"""Named tables in this process: source and destination of notebooks, tests and the Python API.

Tables live as long as the process, shared by all connections of one ``space``.
Files and databases are left to the other connectors.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from platform_pipelines.connectors.base import Connector
from platform_pipelines.errors import InvalidData, OffsetConflict
from platform_pipelines.formats import memory_merge
from platform_pipelines.formats.slices import partition_cursors
from platform_pipelines.formats.totals import totals
from platform_pipelines.model import Page, ReadPlan, StreamInfo
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import families, window_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Feed, Load, Mode, Offset, Receipt, Stream, TimeSlice, ValueSlice, Window
    from platform_pipelines.sql.totals import Totals

_PAGE_ROWS = 65_536


@dataclass(slots=True)
class _Space:
    """Tables and offsets that connections share."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    offsets: dict[tuple[str, str], Offset] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


_SPACES: dict[str, _Space] = {}
_GUARD = threading.Lock()


def _space(name: str) -> _Space:
    with _GUARD:
        return _SPACES.setdefault(name, _Space())


class MemoryConnector(Connector):
    """Tables kept in this process.

    Attributes:
        space: connections of one space see the same tables.
        data: tables to begin with: rows by table name.
    """

    modes: ClassVar[frozenset[Mode]] = frozenset({"append", "merge", "update", "replace", "delete"})

    type: Literal["memory"] = "memory"
    space: str = "default"
    data: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)

    @staticmethod
    def put(name: str, rows: Any, space: str = "default") -> None:  # noqa: ANN401 - rows come in many forms
        """Register a table.

        Args:
            name: the stream's name.
            rows: a list of mappings, a ``pyarrow.Table``, or anything that exports Arrow, such as a DataFrame.
            space: which space it is for.

        Raises:
            InvalidData: the rows have no common type by column.
        """
        table = _as_table(name, rows)
        shared = _space(space)
        with shared.lock:
            shared.tables[name] = table

    @staticmethod
    def clear(space: str = "default") -> None:
        """Forget all tables and offsets of a space."""
        shared = _space(space)
        with shared.lock:
            shared.tables.clear()
            shared.offsets.clear()

    def table(self, name: str) -> pa.Table:
        """The rows of a table, without bookkeeping columns.

        Raises:
            InvalidData: there is no such table.
        """
        return memory_merge.public(self._stored(name))

    def check(self) -> None:
        """Nothing can be out of reach."""

    def streams(self) -> list[StreamInfo]:
        """All tables."""
        names = sorted({*self.data, *_space(self.space).tables})
        return [StreamInfo(name, (rows := self.table(name)).schema, rows=rows.num_rows) for name in names]

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401, ARG002 - the contract
        """Read a table in the order in which its rows were put."""
        table = memory_merge.select(self.table(stream.name), window)
        for batch in table.to_batches(max_chunksize=_PAGE_ROWS) or [_empty(table.schema)]:
            yield Page((batch,))

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The rows that :meth:`read` would return now."""
        table = self.table(stream.name)
        where = window_sql(window, families(table.schema), DUCKDB) or "true"
        rows = memory_merge.select(table, window).num_rows
        return ReadPlan(f"table {stream.name} in memory where {where}", estimated_rows=rows)

    def partition_cursors(
        self, stream: Stream, window: Window, slices: Mapping[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows."""
        from platform_pipelines import duck

        table = self.table(stream.name)
        with duck.session() as connection:
            connection.register("stored", table)
            return partition_cursors(connection, "stored", families(table.schema), window, slices)

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them."""
        from platform_pipelines import duck

        table = self.table(stream.name)
        with duck.session() as connection:
            connection.register("stored", table)
            place = f"table {stream.name} in memory"
            return totals(connection, "stored", families(table.schema), window, sums, place=place)

    def holds(self, table: str, columns: Sequence[str], but: Feed | None) -> Iterator[pa.RecordBatch]:
        """The rows of a table, without those that a feed brought."""
        if table not in {*self.data, *_space(self.space).tables}:
            return
        rows = memory_merge.without(self._stored(table), but)
        yield from rows.select([name for name in columns if name in rows.column_names]).to_batches()

    def offset(self, feed: Feed, table: str) -> Offset | None:
        """The last batch of the feed that the table holds."""
        return _space(self.space).offsets.get((feed.id, table))

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Build the new table aside, then swap it in together with the offset."""
        stage = batches.read_all()
        shared = _space(self.space)
        with shared.lock:
            stored = self.offset(load.feed, load.table)
            if stored != load.previous:
                msg = (
                    f"Table {load.table!r} in memory holds {stored} of feed {load.feed.id!r}, not {load.previous}: "
                    "another run loaded first. Run again."
                )
                raise OffsetConflict(msg)
            current = shared.tables.get(load.table)
            if current is None and load.table in self.data:
                current = _as_table(load.table, self.data[load.table])
            merged, receipt = memory_merge.merge(current, stage, load)
            shared.tables[load.table] = merged
            shared.offsets[load.feed.id, load.table] = load.offset
        return receipt

    def _stored(self, name: str) -> pa.Table:
        found = _space(self.space).tables.get(name)
        if found is not None:
            return found
        if name in self.data:
            return _as_table(name, self.data[name])
        names = sorted({*self.data, *_space(self.space).tables})
        msg = (
            f"Table {name!r} is not in memory (space {self.space!r}). There are: {', '.join(names) or 'none'}. "
            f"Register it by `MemoryConnector.put({name!r}, rows)` before the run."
        )
        raise InvalidData(msg)


def _as_table(name: str, rows: Any) -> pa.Table:  # noqa: ANN401 - rows come in many forms
    import pyarrow as pa

    try:
        if isinstance(rows, list):
            columns = dict.fromkeys(key for row in rows for key in row)
            return pa.table({key: [row.get(key) for row in rows] for key in columns})
        return rows if isinstance(rows, pa.Table) else pa.table(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, AttributeError, TypeError) as error:
        msg = f"The rows put as {name!r} do not make a table: {error}. Give each column values of one type."
        raise InvalidData(msg) from error


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
