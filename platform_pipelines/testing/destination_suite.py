"""How suites about destinations come by one; what they ask of it is left to them."""
# ruff: noqa: S101, ANN401 - suites assert, about any connector

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.base import Destination
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

    def test_it_is_a_destination(self, destination: Any) -> None:
        """It has the methods of a destination, and a mode."""
        assert destination.modes
        destination.check()
        assert isinstance(destination, Destination)

    def _loading(self, destination: Any, mode: Mode, feed: Feed | None = None) -> Loading:
        assert destination.durable, f"{destination.type} is not durable: inherit `SinkContract` instead"
        if mode not in destination.modes:
            pytest.skip(f"{destination.type} has no mode {mode}")
        return Loading(destination, mode, self.table, feed or Feed("people"))
