from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.unit.drop import Drop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)
