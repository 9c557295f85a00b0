"""Looks into the pipeline's own destinations, for rules about what is already loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import ReadBack
from platform_pipelines.engine.offsets import current_offset
from platform_pipelines.errors import SpecError
from platform_pipelines.relations import Holding
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed, Offset
    from platform_pipelines.relations import Holdings
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog

_KEYED = frozenset({"merge", "update"})
#: kinds of batches that bring whole rows
_ROWS = frozenset({"extract", "window", "replay"})


def holdings(context: Context, feed: Feed, epoch: int) -> Holdings:
    """What destinations will hold when a batch of an epoch reaches them.

    Batches that were judged and are not loaded yet count: those of the feed, and
    those of feeds that this run has judged.
    """

    def look(destination: str, columns: tuple[str, ...]) -> Holding:
        spec = next(each for each in context.pipeline.destinations if each.name == destination)
        key = spec.key if spec.mode in _KEYED else ()
        cursor = context.pipeline.source.cursor
        wanted = tuple(dict.fromkeys([*key, *columns, *([cursor.field] if cursor else [])]))
        # offsets first: what is loaded meanwhile is then seen twice rather than not at all
        waiting = RowFiles.joined(rows for each in _feeds(context, feed) for rows in _waiting(context, each, spec))
        begins = _begins(_offset(context, context.log(feed), spec), epoch)
        whole = begins and spec.mode == "replace" and feed.partition is None
        return Holding(
            lambda: None if whole else _stored(context, spec, wanted, feed if begins else None), waiting, key
        )

    return look


def _feeds(context: Context, feed: Feed) -> list[Feed]:
    return [feed, *(each for each in context.judged if each != feed)]


def _offset(context: Context, log: FeedLog, spec: DestinationSpec) -> Offset | None:
    return current_offset(log, spec, context.connector(spec.connector))


def _begins(offset: Offset | None, epoch: int) -> bool:
    """Whether the batch is of an epoch that replaces what its feed had loaded."""
    return offset is None or offset.epoch < epoch


def _waiting(context: Context, feed: Feed, spec: DestinationSpec) -> Iterator[RowFiles]:
    """The rows that have a verdict and are not loaded yet, oldest first."""
    log = context.log(feed)
    epoch = log.live_epoch()
    if epoch is None:
        return
    offset = _offset(context, log, spec)
    done = 0 if _begins(offset, epoch) or offset is None else offset.sequence
    for sequence in sorted(log.sealed(epoch)):
        verdict = log.verdict(epoch, sequence) if sequence > done else None
        if verdict is not None and log.manifest(epoch, sequence).kind in _ROWS:
            yield passed(log, verdict)


def _stored(
    context: Context, spec: DestinationSpec, columns: tuple[str, ...], but: Feed | None
) -> pa.RecordBatchReader | None:
    import pyarrow as pa

    connector = context.connector(spec.connector)
    if not isinstance(connector, ReadBack):
        msg = f"Connector `{spec.connector}` of destination `{spec.name}` cannot read back what it holds."
        raise SpecError(msg, file=context.pipeline.file, line=context.pipeline.line)
    batches = iter(connector.holds(spec.table, columns, but))
    first = next(batches, None)
    if first is None:
        return None

    def rows() -> Iterator[pa.RecordBatch]:
        yield first
        yield from batches

    return pa.RecordBatchReader.from_batches(first.schema, rows())
