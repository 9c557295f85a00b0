"""The demo, run once for all tests of this folder, as `make demo` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.demo.running import Demo, run_demo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo's first run in an empty folder."""
    folder: Path = tmp_path_factory.mktemp("demo")
    return run_demo(folder)
