"""Load: bring a destination up to the log, each batch exactly once.

What a destination has is what its own offset says. Pending batches go in one
transaction, oldest first, deduplicated by key; a new epoch replaces what the
feed had loaded. The transaction itself is the connector's.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from platform_pipelines.engine.context import Progress, stamp
from platform_pipelines.engine.incoming import incoming
from platform_pipelines.engine.offsets import current_offset, unknown_batch
from platform_pipelines.engine.ordering import check, ordered
from platform_pipelines.engine.reconciling import reconcile
from platform_pipelines.engine.refused_rows import keep
from platform_pipelines.engine.report import Loaded
from platform_pipelines.engine.retention import prune
from platform_pipelines.engine.schemas import joined
from platform_pipelines.errors import InvalidData, OffsetConflict
from platform_pipelines.store.locks import locked
from platform_pipelines.store.refusals import Refusal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed, Offset, Receipt
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog, Manifest, Verdict

_log = logging.getLogger(__name__)
#: rows in one transaction at most (a new epoch goes whole, whatever its size)
GROUP_ROWS = 5_000_000
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Pending:
    """Batches that go in one transaction.

    Attributes:
        batches: oldest first.
        fresh: whether they begin an epoch.
        previous: the destination's offset that they were chosen behind. The load
            is refused if another run has moved it meanwhile.
    """

    batches: tuple[tuple[Manifest, Verdict], ...]
    fresh: bool
    previous: Offset | None

    @property
    def offset(self) -> Offset:
        """The last batch's place."""
        return self.batches[-1][0].offset


@dataclass(frozen=True, slots=True)
class Target:
    """One destination of one feed."""

    context: Context
    log: FeedLog
    spec: DestinationSpec
    connector: Connector

    def offset(self) -> Offset | None:
        """The last batch it has loaded."""
        return current_offset(self.log, self.spec, self.connector)


def load(context: Context, feed: Feed, destination: str) -> Loaded:
    """Load what the destination does not have yet.

    Raises:
        ConnectError: the destination cannot be reached.
        SchemaDrift: its table cannot take the rows.
        StoreCorrupt: it holds batches that the log does not have.
        AccountingError: it counted other rows than it was given; nothing was committed.
    """
    started = time.monotonic()
    target = target_of(context, feed, destination)
    total = Loaded(feed, destination)
    target.connector.tidy(target.spec.table)
    with alone(target):
        total, offset = _load_pending(target, total)
    prune(context, feed)  # also behind a run that was killed between its load and this
    total = replace(total, reconciled=reconcile(context, feed, target.spec, offset))
    total = replace(total, seconds=time.monotonic() - started)
    context.record("load", entry(total))
    return total


def alone(target: Target) -> AbstractContextManager[None]:
    """No other process loads this feed there meanwhile, however long it takes.

    Where a destination keeps offsets it refuses what another load has overtaken. Of one that keeps none only the log
    says what it has: between a look there and a load nobody else may send it newer rows.
    """
    if target.connector.durable:
        return contextlib.nullcontext()
    name = target.spec.name
    subject = f"Loading {target.log.feed.id} into `{name}`"
    return locked(target.log.folder / f".{name}.lock", subject, target.context.token, _log.warning)


def _load_pending(target: Target, total: Loaded) -> tuple[Loaded, Offset | None]:
    """Load all that may be loaded; where the destination stands then."""
    conflicts, offset = 0, target.offset()
    while (group := pending(target, offset)) is not None:
        if _is_void(group):
            if target.connector.durable:  # it goes with the first batch that has columns
                break
            target.log.set_offset(target.spec.name, group.offset, target.context.token)
            offset = group.offset
            continue
        try:
            total = _load_group(target, group, total)
            offset = group.offset
        except OffsetConflict:
            # Another run loaded these batches between our look and our commit: look again.
            conflicts += 1
            if conflicts >= _ATTEMPTS:
                raise
            offset = target.offset()
    return total, offset


def target_of(context: Context, feed: Feed, destination: str) -> Target:
    """The destination, opened.

    Raises:
        SpecError: the connector is no destination, or is configured wrong.
    """
    spec = next(item for item in context.pipeline.destinations if item.name == destination)
    return Target(context, context.log(feed), spec, context.connector(spec.connector))


def pending(target: Target, offset: Offset | None) -> Pending | None:
    """The next batches for a destination that has loaded up to ``offset``; None if it has all that may be loaded."""
    log = target.log
    if offset is not None:
        _check_known(target, offset)
    epoch = log.live_epoch()
    if epoch is None or (offset is not None and offset.epoch > epoch):
        return None
    fresh = offset is None or offset.epoch < epoch
    if fresh and offset is not None and log.discarded(epoch):
        return None  # nothing came in place of what the destination has
    done = 0 if offset is None or fresh else offset.sequence
    atomic = target.connector.atomic
    whole = (log.first_complete(epoch) or 0) if fresh and atomic else 0
    ready = _sealed_in_order(log, epoch, done, whole)[: None if atomic else 1]
    if not ready or ready[-1][0].sequence < whole:
        return None
    return Pending(tuple(ready), fresh, offset)


def _check_known(target: Target, offset: Offset) -> None:
    """Refuse to go on from a batch that the log does not have: the next ones would pass for loaded.

    Raises:
        StoreCorrupt: the log is not the one that the destination was loaded from.
    """
    log = target.log
    epochs = log.epochs()
    last = max(log.sequences(offset.epoch), default=0)
    if (epochs and offset.epoch < epochs[-1]) or offset.sequence <= last:
        return
    raise unknown_batch(target.context, log, target.spec.name, offset)


def _sealed_in_order(log: FeedLog, epoch: int, done: int, whole: int) -> list[tuple[Manifest, Verdict]]:
    """Judged batches behind ``done``, up to the first gap; the first ``whole`` of them go together.

    A batch of a schema that does not go with those before begins a transaction of
    its own, as it would have if the destination had kept up. So does a batch of
    deletes: it is about what was loaded before.
    """
    ready: list[tuple[Manifest, Verdict]] = []
    rows, schema = 0, None
    sealed = log.sealed(epoch)
    for sequence in log.sequences(epoch):
        if sequence <= done:
            continue
        verdict = log.verdict(epoch, sequence) if sequence in sealed else None
        if verdict is None or (rows >= GROUP_ROWS and sequence > whole):
            break
        manifest = log.manifest(epoch, sequence)
        if ready and "deletes" in {manifest.kind, ready[-1][0].kind}:
            break
        both = joined(schema, verdict.schema) if schema is not None and verdict.schema is not None else verdict.schema
        if both is None and verdict.schema is not None and sequence > whole:
            break
        schema = both or schema
        ready.append((manifest, verdict))
        rows += verdict.rows_out
    return ready


def _load_group(target: Target, group: Pending, total: Loaded) -> Loaded:
    context, connector, name = target.context, target.connector, target.spec.name
    group = _with_columns(target, group)
    with incoming(context, target.log, target.spec, group.batches) as rows:
        order = replace(ordered(target, group, rows.schema, rows.rows), stored=rows.stored)
        receipt = connector.load(order, rows.reader(context, name))  # type: ignore[attr-defined]
    check(order, receipt, name)
    # before the offset: behind it, nobody would come back for them after a crash
    offset = order.offset
    keep(target.log, Refusal(name, offset.epoch, offset.sequence, 1, context.token, stamp()), receipt.refused)
    if not connector.durable:
        target.log.set_offset(name, order.offset, context.token)
    context.report(Progress("load", total.feed, total.rows + receipt.loaded, total.bytes + receipt.bytes, name))
    return _add(total, group, rows.deduplicated + receipt.superseded, receipt)


def _is_void(group: Pending) -> bool:
    """Whether the source has never given anything: there is nothing to load, and no column to make a table of."""
    return not _has_columns(group) and not any(manifest.read for manifest, _ in group.batches)


def _has_columns(group: Pending) -> bool:
    return any(
        manifest.kind == "rewind" or (verdict.schema and verdict.schema.names) for manifest, verdict in group.batches
    )


def _with_columns(target: Target, group: Pending) -> Pending:
    """The group; where no record of it could be read, in the columns of a batch that the destination has.

    Raises:
        InvalidData: there is none, so no table could be made; naming the command that shows why.
    """
    if _has_columns(group):
        return group
    schema = None if group.fresh else _schema_before(target.log, group.batches[0][0])
    if schema is not None:
        return replace(group, batches=tuple((m, replace(verdict, schema=schema)) for m, verdict in group.batches))
    read = sum(manifest.read for manifest, _ in group.batches)
    msg = (
        f"None of the {read} records of {target.log.feed.id} could be read, so there is no column to load, and "
        f"{target.spec.table} is as it was. See why: `pipelines dead-letters {target.context.pipeline.name}`."
    )
    raise InvalidData(msg)


def _schema_before(log: FeedLog, first: Manifest) -> pa.Schema | None:
    """The columns of the last batch before this one, in its epoch, that has some; a batch of deletes has keys alone."""
    sealed = log.sealed(first.epoch)
    for sequence in reversed(log.sequences(first.epoch)):
        if sequence >= first.sequence or sequence not in sealed:
            continue
        verdict = log.verdict(first.epoch, sequence)
        named = verdict is not None and verdict.schema is not None and verdict.schema.names
        if verdict is not None and named and log.manifest(first.epoch, sequence).kind != "deletes":
            return verdict.schema
    return None


def _add(total: Loaded, group: Pending, deduplicated: int, receipt: Receipt) -> Loaded:
    manifests = [manifest for manifest, _ in group.batches]
    verdicts = [verdict for _, verdict in group.batches]
    return replace(
        total,
        batches=total.batches + len(group.batches),
        read=total.read + sum(m.read for m in manifests),
        rows=total.rows + receipt.loaded,
        deduplicated=total.deduplicated + deduplicated,
        rejected=total.rejected + sum(v.rejected for v in verdicts) + receipt.rejected,
        refused=total.refused + receipt.rejected,
        filtered=total.filtered + sum(v.filtered for v in verdicts) + sum(m.skipped for m in manifests),
        landed_twice=total.landed_twice + sum(m.deduplicated for m in manifests),
        bytes=total.bytes + receipt.bytes,
        ddl=total.ddl + receipt.ddl,
    )


def entry(loaded: Loaded) -> dict[str, object]:
    """What is kept of it in the record of the run."""
    return {
        "partition": loaded.feed.key,
        "destination": loaded.destination,
        "batches": loaded.batches,
        "rows": loaded.rows,
        "deduplicated": loaded.deduplicated,
        "refused": loaded.refused,
        "bytes": loaded.bytes,
        "seconds": round(loaded.seconds, 3),
        **({"rules": {rule.id: rule.failed for rule in loaded.reconciled}} if loaded.reconciled else {}),
    }
