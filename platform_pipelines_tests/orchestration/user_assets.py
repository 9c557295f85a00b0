"""An asset as a user of the platform would write it, beside the pipelines."""

import dagster as dg

from platform_pipelines.connectors.base import Source
from platform_pipelines.orchestration.resources import ConnectorResource


@dg.asset
def stream_names(shop: ConnectorResource) -> list[str]:
    """The streams of the shop."""
    connector = shop.open()
    assert isinstance(connector, Source)
    return [info.name for info in connector.streams()]
