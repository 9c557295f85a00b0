from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines.testing.contract import SinkContract
from platform_pipelines_tests.api_sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestHttpSink(SinkContract):
    """An API has no offsets, transactions or epochs; unit/http_destination asks what it is sent."""

    @pytest.fixture(autouse=True)
    def sink(self) -> Iterator[Sink]:
        with Sink() as sink:
            self.url = sink.api.url
            yield sink

    def make_destination(self, tmp_path: Path) -> Any:
        tables = {self.table: {"path": "/contacts/{id}"}}
        return HttpConnector.model_validate(
            {"type": "http", "base_url": self.url, "state": str(tmp_path), "tables": tables}
        )
