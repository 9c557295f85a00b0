"""Rows that a destination refused: kept as dead letters of that destination, and sent to it again on demand.

They passed every rule, and other destinations have them, so a replay sends them to
the one that refused them and to no other, but for those of which it has taken a newer
version since. Dead letters of transforms and rules are left to ``replaying``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.context import stamp
from platform_pipelines.engine.incoming import KEYED
from platform_pipelines.engine.loading import Pending, alone, entry, target_of
from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.engine.ordering import batch_name, check, ordered
from platform_pipelines.engine.origins import Replays
from platform_pipelines.engine.overtaken import BATCH, INCOMING, OVERTAKEN, Arrivals
from platform_pipelines.engine.refused_rows import BOOKKEEPING, keep
from platform_pipelines.engine.report import Loaded
from platform_pipelines.engine.rivals import sent_again
from platform_pipelines.model import Offset
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rows import all_but
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed
from platform_pipelines.store import Verdict, refusals

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.loading import Target
    from platform_pipelines.model import Feed, Receipt
    from platform_pipelines.store import FeedLog, Manifest
    from platform_pipelines.store.refusals import Refusal


def refused(log: FeedLog) -> list[Refusal]:
    """What destinations refused of the live epoch and have not taken since."""
    epoch = log.live_epoch()
    return [] if epoch is None else refusals.latest(log, epoch)


def as_verdict(refusal: Refusal) -> Verdict:
    """A refusal in the form in which dead letters are listed."""
    return Verdict(
        refusal.epoch,
        refusal.sequence,
        "passed",
        refusal.token,
        refusal.created_at,
        rejected=refusal.rows,
        dead=refusal.files,
    )


def resend(context: Context, feed: Feed, destination: str) -> Loaded:
    """Send a destination what it refused, once more and under new keys.

    Raises:
        ConnectError: it cannot be reached; what it did not take stays a dead letter.
    """
    target = target_of(context, feed, destination)
    total, started = Loaded(feed, destination), time.monotonic()
    with alone(target):
        for refusal in refused(target.log):
            if refusal.destination == destination:
                total = _with(total, refusal, _send(target, refusal))
    total = replace(total, seconds=time.monotonic() - started)
    if total.batches:
        context.record("load", entry(total))
    return total


def _with(total: Loaded, refusal: Refusal, receipt: Receipt) -> Loaded:
    return replace(
        total,
        batches=total.batches + 1,
        read=total.read + refusal.rows,
        rows=total.rows + receipt.loaded,
        deduplicated=total.deduplicated + receipt.superseded + refusal.rows - receipt.staged,
        rejected=total.rejected + receipt.rejected,
        refused=total.refused + receipt.rejected,
        bytes=total.bytes + receipt.bytes,
    )


def added(before: Loaded | None, now: Loaded) -> Loaded:
    """What was loaded before in the same run, and this."""
    if before is None:
        return now
    numbers = ("batches", "read", "rows", "deduplicated", "rejected", "refused", "bytes")
    return replace(before, **{name: getattr(before, name) + getattr(now, name) for name in numbers})


def _send(target: Target, refusal: Refusal) -> Receipt:
    context, log = target.context, target.log
    manifest, verdict = (
        log.manifest(refusal.epoch, refusal.sequence),
        log.verdict(refusal.epoch, refusal.sequence) or as_verdict(refusal),
    )
    rows = _not_overtaken(target, refusal, manifest)
    again = refusal.attempt + 1
    # behind the batch before, so that its own journal stays
    pending = Pending(((manifest, verdict),), fresh=False, previous=Offset(refusal.epoch, refusal.sequence - 1))
    order = ordered(target, pending, rows.schema, rows.num_rows)
    order = replace(order, batch=batch_name(manifest, again))
    receipt: Receipt = target.connector.load(order, rows.to_reader())  # type: ignore[attr-defined]
    check(order, receipt, refusal.destination)
    attempt = replace(refusal, attempt=again, token=context.token, created_at=stamp(), files=())
    keep(log, attempt, receipt.refused)
    return receipt


def _not_overtaken(target: Target, refusal: Refusal, manifest: Manifest) -> pa.Table:
    """The refused rows of which the destination has not taken a newer version.

    Looked for at each try: what came between a try that broke off and this one counts, too.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = target.log.paths(refusal.epoch, refusal.files)
    tables = [pq.read_table(path) for path in paths]
    rows = pa.concat_tables(tables).drop_columns(list(BOOKKEEPING))
    offset = target.offset()
    if target.spec.mode not in KEYED or offset is None or offset.epoch != refusal.epoch:
        return rows
    replays = Replays(target.log, refusal.epoch)
    lates = {0: sent_again(replays, manifest, offset.sequence)}
    stored = RowFiles(tuple(paths), plain=is_plain(rows.schema.names))
    cursor = order_column(target.context, rows.schema)
    with duck.session(len(rows.schema)) as connection:
        connection.execute(f"create temp view {INCOMING} as select *, 0 as {BATCH} from {placed(stored)}")
        arrivals = Arrivals(connection, target.context, target.log, target.spec, cursor)
        if not arrivals.find_overtaken(lates, replays):
            return rows
        places = connection.execute(f"select {FILE}, {ROW} from {OVERTAKEN}").fetchall()
    starts = list(accumulate((table.num_rows for table in tables), initial=0))
    return rows.filter(all_but(rows.num_rows, [starts[file] + row for file, row in places]))
