from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests import locales
from platform_pipelines_tests.integration.schema_world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="session")
def foreign(locale_folder: Path) -> Mapping[str, str]:
    """Variables of a process that is to find the locales of :mod:`platform_pipelines_tests.locales`."""
    locales.compile_into(locale_folder)
    return locales.variables(locale_folder)


@pytest.fixture
def world(tmp_path: Path, postgres_database: str) -> Iterator[World]:
    world = World(tmp_path, postgres_database)
    yield world
    world.admin.close()
