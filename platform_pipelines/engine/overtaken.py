"""Rows that come late: newer versions of their keys have been loaded, or their keys were deleted since.

Dead letters come back long after they were read. An API, besides, does not compare
versions as databases and files do, so to it every batch may bring such rows. They
are found in the landing log, where the versions that passed before are.

A version is newer if its cursor is; where the two are equal, or one has none, if it
was read later. Versions that deletes removed before a row was read are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.rivals import grouped, rivals
from platform_pipelines.relations import columns, comparable
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rowsql import FILE, ROW, placed, rows_in
from platform_pipelines.store import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.origins import Replays
    from platform_pipelines.engine.rivals import Late, Rival
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog

#: the column that says to which of several batches a row belongs
BATCH = "_pipelines_batch_number"
#: columns of versions: of which batch they are, what orders them, which batch read them
SEQUENCE, VERSION, ORIGIN = "_pipelines_sequence", "_pipelines_version", "_pipelines_origin"
#: the view of rows to be loaded
INCOMING = "incoming"
#: the temporary table of :meth:`Arrivals.find_overtaken`, with the places of the rows
OVERTAKEN = "overtaken"
_VERSIONS, _DEATHS, _REFUSED = "versions", "deaths", "refused"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows on their way to a destination that tells rows apart by a key.

    Attributes:
        connection: has the view :data:`INCOMING`: keys, cursor, :data:`BATCH`, and the columns of ``rowsql.placed``.
        context: the pipeline.
        log: of the feed.
        spec: the destination.
        cursor: the column that orders versions; None where they have none.
    """

    connection: duckdb.DuckDBPyConnection
    context: Context
    log: FeedLog
    spec: DestinationSpec
    cursor: str | None

    def find_overtaken(self, lates: Mapping[int, Late], replays: Replays) -> int:
        """Make the places of overtaken rows the table :data:`OVERTAKEN`; how many.

        Args:
            lates: which rows may come late, by the number that they have in :data:`BATCH`.
            replays: of their epoch.

        Raises:
            StoreCorrupt: a batch file was changed.
        """
        found = rivals(self.context, self.log, self.spec, lates.values(), replays)
        if not found:
            return 0
        run = self.connection.execute
        run(f"create or replace temp table {OVERTAKEN} as select {FILE}, {ROW} from {INCOMING} limit 0")
        deaths = [each for each in found if each.deletes]
        views = [self._view(_DEATHS, deaths, None)] if deaths else []
        if self._refused():
            views.append(_REFUSED)
        if deaths:
            self._insert(lates, _DEATHS, f"r.{ORIGIN} > o.origin", [])
        for column, group in grouped(found).items():
            self._view(_VERSIONS, group, column)
            self._insert(lates, _VERSIONS, self._newer(column), views)
        run(f"create or replace temp table {OVERTAKEN} as select distinct * from {OVERTAKEN}")
        return int(run(f"select count(*) from {OVERTAKEN}").fetchall()[0][0])

    def _insert(self, lates: Mapping[int, Late], versions: str, newer: str, unless: Sequence[str]) -> None:
        table = ", ".join(f"({number}, {each.before}, {each.origin})" for number, each in lates.items())
        exceptions = "".join(
            f" and not exists (select 1 from {view} x where {self._same('x', view, 'r', versions)} and {_VOID[view]})"
            for view in unless
        )
        self.connection.execute(
            f"insert into {OVERTAKEN} select l.{FILE}, l.{ROW} from {INCOMING} l "
            f"join (values {table}) o(number, before, origin) on l.{BATCH} = o.number "
            f"join {versions} r on {self._same('l', INCOMING, 'r', versions)} "
            f"where r.{SEQUENCE} < o.before and {newer}{exceptions}"
        )

    def _same(self, one: str, view: str, other: str, other_view: str) -> str:
        """The condition that two relations have the same key, whatever types it had in their batches."""
        left, right = columns(self.connection, view), columns(self.connection, other_view)
        quoted = {name: duck.quote(name) for name in self.spec.key}
        pairs = [comparable(f"{one}.{q}", left[name], f"{other}.{q}", right[name]) for name, q in quoted.items()]
        return " and ".join(f"{mine} = {theirs}" for mine, theirs in pairs)

    def _newer(self, column: str | None) -> str:
        """The condition that the version ``r`` is newer than the row ``l``."""
        later = f"r.{ORIGIN} > o.origin"
        if self.cursor is None or column is None:
            return later
        own = f"l.{duck.quote(self.cursor)}"
        types = columns(self.connection, INCOMING)[self.cursor], columns(self.connection, _VERSIONS)[VERSION]
        left, right = comparable(own, types[0], f"r.{VERSION}", types[1])
        return f"({right} > {left} or (({right} = {left} or r.{VERSION} is null or {own} is null) and {later}))"

    def _view(self, name: str, found: list[Rival], column: str | None) -> str:
        """Make a view of what rivals hold: key, cursor, batch and the batch that read it."""
        keys = ", ".join(f"f.{duck.quote(key)}" for key in self.spec.key)
        each_file = [rival for rival in found for _ in rival.rows.paths]
        table = ", ".join(
            f"({number}, {each.sequence}, {'null' if each.origin is None else each.origin}::bigint)"
            for number, each in enumerate(each_file)
        )
        version = "null" if column is None else f"f.{duck.quote(column)}"
        self.connection.execute(
            f"create or replace temp view {name} as select {keys}, {version} as {VERSION}, "
            f"o.sequence as {SEQUENCE}, o.origin as {ORIGIN} "
            f"from {placed(RowFiles.joined(rival.rows for rival in found))} f "
            f"join (values {table}) o(number, sequence, origin) on o.number = f.{FILE}"
        )
        return name

    def _refused(self) -> bool:
        """Make a view of the keys that the destination has refused, by batch; False if there are none."""
        log, epoch, names = self.log, self.log.live_epoch(), ", ".join(duck.quote(name) for name in self.spec.key)
        if epoch is None or self.context.connector(self.spec.connector).atomic:
            return False
        parts = [
            f"select {names}, {each.sequence} as {SEQUENCE} from {rows_in(paths, by_name=True)}"
            for each in refusals.latest(log, epoch)
            if each.destination == self.spec.name
            if (paths := log.paths(each.epoch, each.files)) and set(self.spec.key) <= set(_columns(paths[0]))
        ]
        if parts:
            self.connection.execute(f"create or replace temp view {_REFUSED} as {' union all by name '.join(parts)}")
        return bool(parts)


#: when a version counts for nothing: the destination has refused it, or its key was gone before the late row was read
_VOID = {
    _REFUSED: f"x.{SEQUENCE} = r.{SEQUENCE}",
    _DEATHS: f"x.{SEQUENCE} > r.{ORIGIN} and x.{SEQUENCE} < o.origin",
}


def _columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return list(pq.read_schema(path).names)
