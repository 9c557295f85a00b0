from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.logger import LoggerConnector
from platform_pipelines.spec import secrets
from platform_pipelines.testing.contract import SinkContract
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import versions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class TestLoggerSink(SinkContract):
    def make_destination(self, tmp_path: Path) -> Any:  # noqa: ARG002 - the suite
        return LoggerConnector()


def test_it_logs_the_first_rows_and_counts_all(caplog: pytest.LogCaptureFixture) -> None:
    connector = LoggerConnector(limit=2)
    loading = Loading(connector, "append", "people")
    with caplog.at_level(logging.INFO, "platform_pipelines.rows"):
        receipt = loading.load(versions((1, "a", 1), (2, "b", 1), (3, "c", 1)))
    assert receipt.loaded == 3
    assert [r.getMessage() for r in caplog.records] == [
        'people {"id": 1, "value": "a", "version": 1}',
        'people {"id": 2, "value": "b", "version": 1}',
        "people and 1 rows more of people",
    ]
    assert connector.offset(loading.feed, "people") is None


def test_secrets_are_masked(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGGED_SECRET", "sesame-open-42")
    secrets.resolve("${env://LOGGED_SECRET}")
    with caplog.at_level(logging.INFO, "platform_pipelines.rows"):
        Loading(LoggerConnector(), "append", "people").load(versions((1, "it is sesame-open-42", 1)))
    assert "sesame" not in caplog.text
