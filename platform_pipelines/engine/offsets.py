"""What a destination has loaded of a feed, wherever that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import Destination
from platform_pipelines.errors import SpecError

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
    """The offset of the destination that is furthest behind; None if one has nothing."""
    offsets = []
    for spec in context.pipeline.destinations:
        offset = current_offset(log, spec, context.connector(spec.connector))
        if offset is None:
            return None
        offsets.append(offset)
    return min(offsets, default=None)
