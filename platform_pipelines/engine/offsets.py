"""What a destination has loaded of a feed, wherever that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import Destination
from platform_pipelines.errors import PipelinesError, SpecError, StoreCorrupt

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Offset
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog


def current_offset(log: FeedLog, spec: DestinationSpec, connector: Connector) -> Offset | None:
    """The last batch loaded; the log keeps it for destinations that store nothing.

    Raises:
        SpecError: the connector is no destination.
        ConnectError: it cannot be reached.
    """
    if not isinstance(connector, Destination):
        msg = f"Connector `{spec.connector}` of destination `{spec.name}` cannot be loaded: it is a source only."
        raise SpecError(msg)
    if not connector.durable:
        return log.offset(spec.name)
    return connector.offset(log.feed, spec.table)


def slowest_offset(context: Context, log: FeedLog) -> Offset | None:
    """The offset of the destination that is furthest behind; None if one has nothing, or cannot say."""
    offsets = _offsets(context, log)
    known = [offset for offset in offsets if offset is not None]
    return min(known, default=None) if len(known) == len(offsets) else None


def highest_epoch(context: Context, log: FeedLog) -> int:
    """The highest epoch that a destination says it has; 0 if none has any, or can be asked.

    A log that was lost begins anew; the destinations remember how far it was.
    """
    return max((offset.epoch for offset in _offsets(context, log) if offset is not None), default=0)


def check_follows(context: Context, log: FeedLog, batch: Offset) -> None:
    """Refuse to commit a batch under a number that a destination has loaded already: it would pass for loaded.

    So it is with a log that was restored from a copy older than the destinations. One that cannot be
    asked now is left to its own load.

    Raises:
        StoreCorrupt: a destination has this batch, or a later one.
    """
    for spec, offset in zip(context.pipeline.destinations, _offsets(context, log), strict=True):
        if offset is not None and offset >= batch:
            raise unknown_batch(context, log, spec.name, offset)


def unknown_batch(context: Context, log: FeedLog, destination: str, offset: Offset) -> StoreCorrupt:
    """The error for a destination that has loaded what the log does not have."""
    name = context.pipeline.name
    return StoreCorrupt(
        f"Destination `{destination}` has loaded batch {offset.epoch}/{offset.sequence} of {log.feed.id}, which "
        f"the landing log {log.folder} does not have: it was lost, or an older copy of the log was restored, or "
        "PIPELINES_STORE leads elsewhere. Nothing was read into it. Bring it back, or read everything anew and replace "
        f"what is loaded: `pipelines run {name} --full-refresh`."
    )


def _offsets(context: Context, log: FeedLog) -> list[Offset | None]:
    """The offset of each destination; None also where it cannot be asked, of which its own load complains."""
    found: list[Offset | None] = []
    for spec in context.pipeline.destinations:
        try:
            found.append(current_offset(log, spec, context.connector(spec.connector)))
        except PipelinesError:
            found.append(None)
    return found
