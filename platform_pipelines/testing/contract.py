"""The suites that a connector's tests inherit."""

from __future__ import annotations

from platform_pipelines.testing.destination_contract import DestinationContract
from platform_pipelines.testing.sink_contract import SinkContract
from platform_pipelines.testing.source_contract import SourceContract

__all__ = ["DestinationContract", "SinkContract", "SourceContract"]
