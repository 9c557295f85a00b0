"""A project, and an API that takes its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.api_sink import Sink
from platform_pipelines_tests.integration.replays.contacts import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with Sink() as sink:
        monkeypatch.setenv("API_URL", sink.api.url)
        monkeypatch.chdir(tmp_path)
        yield Site(tmp_path, sink)
