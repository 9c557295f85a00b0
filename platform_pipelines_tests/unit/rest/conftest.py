from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from platform_pipelines.connectors.rest import RestConnector
from platform_pipelines.model import Page, Stream, Window
from platform_pipelines.testing.rows import records
from platform_pipelines_tests.api_server import Answer, ApiServer

QUICK = {"max": 2, "total": "20s", "delay": 0.01, "max_delay": 0.02}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


class Reader:
    """Reads a stream ``s`` of an API."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api

    def connector(self, *, top: dict[str, Any] | None = None, **spec: Any) -> RestConnector:
        """A connector whose stream ``s`` is so declared."""
        streams = {"s": {"path": "/s", **spec}, **(top or {}).pop("streams", {})}
        keys = {"type": "rest", "base_url": self.api.url, "retries": QUICK, "streams": streams, **(top or {})}
        return RestConnector.model_validate(keys)

    def pages(self, window: Window | None = None, resume: Any = None, **spec: Any) -> list[Page]:
        connector = self.connector(**spec)
        return list(connector.read(Stream("s"), window or Window(), resume))

    def rows(self, window: Window | None = None, **spec: Any) -> list[dict[str, Any]]:
        return records(self.pages(window, **spec))

    def answer(self, *bodies: Any) -> None:
        """Answer page after page with these; the last one again and again."""
        left = list(bodies)
        self.api.serve("/s", lambda _: Answer(json=left.pop(0) if len(left) > 1 else left[0]))


@pytest.fixture
def read(api: ApiServer) -> Reader:
    return Reader(api)


MakeRows = Callable[..., list[dict[str, Any]]]
