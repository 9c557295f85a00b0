"""How suites about destinations come by one; what they ask of it is left to them."""
# ruff: noqa: ANN401 - about any connector

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.model import Feed
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Mode


class DestinationSuite:
    """An empty destination, its rows, and loads into it."""

    #: the table to load
    table = "raw.people"

    def make_destination(self, tmp_path: Path) -> Any:
        """A connection to an empty system."""
        raise NotImplementedError

    def rows(self, destination: Any, table: str) -> list[dict[str, Any]]:
        """What a reader finds in the table."""
        raise NotImplementedError

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Any:
        """An empty destination."""
        return self.make_destination(tmp_path)

    def _loading(self, destination: Any, mode: Mode, feed: Feed | None = None) -> Loading:
        if mode not in destination.modes or not destination.durable:
            pytest.skip(f"{destination.type} has no mode {mode}, or keeps nothing")
        return Loading(destination, mode, self.table, feed or Feed("people"))
