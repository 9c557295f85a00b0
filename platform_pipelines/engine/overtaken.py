"""Rows that come late: newer versions of their keys have been loaded, or their keys were deleted since.

Dead letters come back long after they were read. An API, besides, does not compare
versions as databases and files do, so to it every batch may bring such rows. They
are found in the landing log, where the versions that passed before are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.relations import columns, comparable
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rowsql import FILE, ROW, placed
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog, Manifest, Verdict

#: the column that says to which of several batches a row belongs
BATCH = "_pipelines_batch_number"
#: the column of a relation of versions that says of which batch they are
SEQUENCE = "_pipelines_sequence"
VERSION, ORIGIN = "_pipelines_version", "_pipelines_origin"
#: the view of rows to be loaded
INCOMING = "incoming"
#: the temporary table of :meth:`Arrivals.find_overtaken`, with the places of the rows
OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Late:
    """Rows that may come late.

    Attributes:
        epoch: of their batch.
        before: rows of batches before this sequence may have overtaken them.
        origin: sequence of the batch that read them.
        low: a cursor that none of them is below; None where that is not known.
    """

    epoch: int
    before: int
    origin: int
    low: Cursor | None


@dataclass(frozen=True, slots=True)
class _Rival:
    """Rows of an earlier batch."""

    sequence: int
    origin: int
    rows: RowFiles


def origins(log: FeedLog, epoch: int) -> dict[int, int]:
    """For each replay of an epoch, the sequence of the last batch that read rows of it."""
    found: dict[int, int] = {}
    for manifest in log.replays(epoch):
        found[manifest.sequence] = max(found.get(item["sequence"], item["sequence"]) for item in manifest.replays)
    return found


def late(log: FeedLog, manifest: Manifest, *, compares: bool) -> Late | None:
    """What may come late of a batch; None for nothing.

    Args:
        log: of its feed.
        manifest: the batch.
        compares: whether the destination leaves out by itself what is older than what it has.
    """
    if manifest.kind == "replay":
        origin = origins(log, manifest.epoch)[manifest.sequence]
        return Late(manifest.epoch, manifest.sequence, origin, _low(log, manifest))
    if compares or manifest.kind == "deletes" or manifest.cursor_low is None:
        return None
    return Late(manifest.epoch, manifest.sequence, manifest.sequence, manifest.cursor_low)


def sent_again(log: FeedLog, manifest: Manifest, upto: int) -> Late:
    """Rows of a batch that come again, once batches up to ``upto`` are loaded."""
    origin = origins(log, manifest.epoch).get(manifest.sequence, manifest.sequence)
    return Late(manifest.epoch, upto + 1, origin, _low(log, manifest))


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

    def find_overtaken(self, lates: Mapping[int, Late], but: str | None = None) -> int:
        """Make the places of overtaken rows the table :data:`OVERTAKEN`; how many.

        Args:
            lates: which rows may come late, by the number that they have in :data:`BATCH`.
            but: a relation of keys and :data:`SEQUENCE`, versions that count for nothing.

        Raises:
            StoreCorrupt: a batch file was changed.
        """
        run, mine = self.connection.execute, columns(self.connection, INCOMING)
        run(f"create or replace temp table found as select {FILE}, {ROW} from {INCOMING} limit 0")
        table = ", ".join(f"({number}, {each.before}, {each.origin})" for number, each in lates.items())
        for column, rivals in self._rivals(lates).items():
            run(f"create or replace temp view versions as {_versions(rivals, self.spec.key, column)}")
            theirs = columns(self.connection, "versions")
            same = _same(self.spec.key, ("l", mine), ("r", theirs))
            newer = f"r.{ORIGIN} > o.origin" if column is None else self._newer(mine, theirs[VERSION])
            run(
                f"insert into found select l.{FILE}, l.{ROW} from {INCOMING} l "
                f"join (values {table}) o(number, before, origin) on l.{BATCH} = o.number "
                f"join versions r on {same} where r.{SEQUENCE} < o.before and {newer}{self._unless(but, theirs)}"
            )
        run(f"create or replace temp table {OVERTAKEN} as select distinct * from found")
        return int(run(f"select count(*) from {OVERTAKEN}").fetchall()[0][0])

    def _newer(self, mine: Mapping[str, str], their_type: str) -> str:
        """The condition that the version ``r`` is newer than the row ``l``: by cursor, else by what was read later."""
        if self.cursor is None:
            return f"r.{ORIGIN} > o.origin"
        own = f"l.{duck.quote(self.cursor)}"
        left, right = comparable(own, mine[self.cursor], f"r.{VERSION}", their_type)
        return f"({right} > {left} or ((r.{VERSION} is null or {own} is null) and r.{ORIGIN} > o.origin))"

    def _unless(self, but: str | None, theirs: Mapping[str, str]) -> str:
        if but is None:
            return ""
        same = _same(self.spec.key, ("b", columns(self.connection, but)), ("r", theirs))
        return f" and not exists (select 1 from {but} b where b.{SEQUENCE} = r.{SEQUENCE} and {same})"

    def _rivals(self, lates: Mapping[int, Late]) -> dict[str | None, list[_Rival]]:
        """Batches whose rows may have overtaken the late ones, by the column that orders versions in them."""
        found: dict[str | None, list[_Rival]] = defaultdict(list)
        log = self.log
        (epoch,) = {each.epoch for each in lates.values()}
        of_replays, sealed = origins(log, epoch), log.sealed(epoch)
        for sequence in sorted({number for each in lates.values() for number in _before(log, each, sealed)}):
            verdict = log.verdict(epoch, sequence)
            if verdict is None or verdict.schema is None or not self._holds(verdict):
                continue
            of_deletes = log.manifest(epoch, sequence).kind == "deletes"
            column = None if of_deletes else order_column(self.context, verdict.schema)
            origin = of_replays.get(sequence, sequence)
            found[column].append(_Rival(sequence, origin, passed(log, verdict)))
        return found

    def _holds(self, verdict: Verdict) -> bool:
        """Whether a batch has rows with this key; of a batch whose files retention has removed nothing is known."""
        if verdict.schema is None or not verdict.rows_out or set(self.spec.key) - set(verdict.schema.names):
            return False
        folder = self.log.epoch_folder(verdict.epoch)
        return all((folder / file.path).exists() for file in verdict.files)


def _same(key: Sequence[str], left: tuple[str, Mapping[str, str]], right: tuple[str, Mapping[str, str]]) -> str:
    """The condition that two relations have the same key, whatever types it had in their batches."""
    (one, of_one), (other, of_other) = left, right
    quoted = {name: duck.quote(name) for name in key}
    pairs = [comparable(f"{one}.{q}", of_one[name], f"{other}.{q}", of_other[name]) for name, q in quoted.items()]
    return " and ".join(f"{mine} = {theirs}" for mine, theirs in pairs)


def _versions(rivals: list[_Rival], key: Sequence[str], column: str | None) -> str:
    """The versions that rivals hold: key, cursor, batch and the batch that read them."""
    keys = ", ".join(f"f.{duck.quote(name)}" for name in key)
    each_file = [rival for rival in rivals for _ in rival.rows.paths]
    table = ", ".join(f"({number}, {each.sequence}, {each.origin})" for number, each in enumerate(each_file))
    version = "null" if column is None else f"f.{duck.quote(column)}"
    return (
        f"select {keys}, {version} as {VERSION}, o.sequence as {SEQUENCE}, o.origin as {ORIGIN} "
        f"from {placed(RowFiles.joined(rival.rows for rival in rivals))} f "
        f"join (values {table}) o(number, sequence, origin) on o.number = f.{FILE}"
    )


def _before(log: FeedLog, late: Late, sealed: set[int]) -> Iterator[int]:
    """Sequences before the late rows, newest first, that may hold a newer version."""
    for sequence in sorted((number for number in sealed if number < late.before), reverse=True):
        manifest = log.manifest(late.epoch, sequence) if sequence < late.origin and late.low else None
        if manifest is not None and _is_below(manifest.watermark, late.low):
            return  # so are all batches before
        if manifest is None or manifest.kind == "replay" or not _is_below(manifest.cursor_high, late.low):
            yield sequence


def _is_below(cursor: Cursor | None, low: Cursor | None) -> bool:
    """Whether what ends with a cursor is older than what begins at ``low``."""
    return cursor is not None and low is not None and cursor.kind == low.kind and low.at_least(cursor)


def _low(log: FeedLog, manifest: Manifest) -> Cursor | None:
    """A cursor that none of a batch's rows is below; None where one may have any."""
    if manifest.kind != "replay":
        return None if manifest.rejects else manifest.cursor_low
    lows = [_low(log, log.manifest(item["epoch"], item["sequence"])) for item in manifest.replays]
    known = [low for low in lows if low is not None]
    if len(known) < len(lows) or len({low.kind for low in known}) > 1:
        return None
    return min(known, key=lambda low: low.order, default=None)
