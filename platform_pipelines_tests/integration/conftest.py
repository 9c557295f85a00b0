from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.integration.schema_world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path, postgres_database: str) -> Iterator[World]:
    world = World(tmp_path, postgres_database)
    yield world
    world.admin.close()
