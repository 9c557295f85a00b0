"""What a destination has loaded of a feed, wherever that is kept."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import Destination, OffsetLister
from platform_pipelines.errors import PipelinesError, SpecError, StoreCorrupt

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed, Offset
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


class Offsets:
    """The offsets of one destination; of many feeds they are asked for at once where it can tell them so.

    Args:
        context: the pipeline and its connectors.
        spec: the destination.
    """

    def __init__(self, context: Context, spec: DestinationSpec) -> None:
        self._context = context
        self._spec = spec
        self._all: dict[str, Offset] | None = None
        self._failed: PipelinesError | None = None

    def of(self, feed: Feed, kept: Offset | None, *, many: bool) -> Offset | None:
        """The last batch of a feed that the destination has; as :func:`current_offset`, and raises the same.

        Args:
            feed: the feed.
            kept: what the log keeps for the destination.
            many: more feeds will be asked about.
        """
        if self._kept_in_log:
            return kept
        lister = self._lister if many else None
        if lister is None:
            return current_offset(self._context.log(feed), self._spec, self._connector)
        return self._listed(lister, feed.pipeline).get(feed.id)

    # looked up once, not for each of a hundred thousand feeds

    @cached_property
    def _connector(self) -> Connector:
        return self._context.connector(self._spec.connector)

    @cached_property
    def _kept_in_log(self) -> bool:
        return isinstance(self._connector, Destination) and not self._connector.durable

    @cached_property
    def _lister(self) -> OffsetLister | None:
        return self._connector if isinstance(self._connector, OffsetLister) else None

    def _listed(self, connector: OffsetLister, pipeline: str) -> dict[str, Offset]:
        """All of them, asked for once, also where there is no answer."""
        if self._failed is not None:
            raise self._failed
        if self._all is None:
            try:
                self._all = connector.offsets(pipeline, self._spec.table)
            except PipelinesError as error:
                self._failed = error
                raise
        return self._all


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
