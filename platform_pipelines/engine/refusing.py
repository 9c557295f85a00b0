"""Rows that a destination refused: kept as dead letters of that destination, and sent to it again on demand.

They passed every rule, and other destinations have them, so a replay sends them to
the one that refused them and to no other. Dead letters of transforms and rules are
left to ``replaying``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.engine.context import stamp
from platform_pipelines.engine.loading import Pending, target_of
from platform_pipelines.engine.ordering import check, ordered
from platform_pipelines.engine.refused_rows import BOOKKEEPING, keep
from platform_pipelines.engine.report import Loaded
from platform_pipelines.model import Offset
from platform_pipelines.store import Verdict, refusals

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed, Receipt
    from platform_pipelines.store import FeedLog
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
    log = context.log(feed)
    total = Loaded(feed, destination)
    for refusal in refused(log):
        if refusal.destination == destination:
            receipt = _send(context, log, refusal)
            total = replace(
                total,
                batches=total.batches + 1,
                read=total.read + receipt.staged,
                rows=total.rows + receipt.loaded,
                deduplicated=total.deduplicated + receipt.superseded,
                rejected=total.rejected + receipt.rejected,
                refused=total.refused + receipt.rejected,
                bytes=total.bytes + receipt.bytes,
            )
    return total


def added(before: Loaded | None, now: Loaded) -> Loaded:
    """What was loaded before in the same run, and this."""
    if before is None:
        return now
    numbers = ("batches", "read", "rows", "deduplicated", "rejected", "refused", "bytes")
    return replace(before, **{name: getattr(before, name) + getattr(now, name) for name in numbers})


def _send(context: Context, log: FeedLog, refusal: Refusal) -> Receipt:
    target = target_of(context, log.feed, refusal.destination)
    manifest, verdict = (
        log.manifest(refusal.epoch, refusal.sequence),
        log.verdict(refusal.epoch, refusal.sequence) or as_verdict(refusal),
    )
    rows = _rows(log, refusal)
    again = refusal.attempt + 1
    # behind the batch before, so that its own journal stays
    pending = Pending(((manifest, verdict),), fresh=False, previous=Offset(refusal.epoch, refusal.sequence - 1))
    order = ordered(target, pending, rows.schema, rows.num_rows)
    order = replace(order, batch=f"{order.batch}/{again}")
    receipt: Receipt = target.connector.load(order, rows.to_reader())  # type: ignore[attr-defined]
    check(order, receipt, refusal.destination)
    attempt = replace(refusal, attempt=again, token=context.token, created_at=stamp(), files=())
    keep(log, attempt, receipt.refused)
    return receipt


def _rows(log: FeedLog, refusal: Refusal) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [pq.read_table(path) for path in log.paths(refusal.epoch, refusal.files)]
    return pa.concat_tables(tables).drop_columns(list(BOOKKEEPING))
