from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.api_server import ApiServer
from platform_pipelines_tests.secrets.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    """An empty project, with tracebacks shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINES_DEFS", "defs")
    monkeypatch.setenv("PIPELINES_DEBUG", "1")
    monkeypatch.delenv("PIPELINES_STORE", raising=False)
    return Site(tmp_path, capsys)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server
