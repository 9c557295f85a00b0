"""The suite of a destination that keeps no offsets: an API, a log. Subclass it, and say how to make one.

    class TestMyApi(SinkContract):
        def make_destination(self, tmp_path):
            return MyApi(type="my", url="http://127.0.0.1:9000")

What arrives there is left to tests of its own, as nobody can read it in the same way everywhere.
"""
# ruff: noqa: S101, ANN401 - suites assert, about any connector

from __future__ import annotations

from typing import Any

from platform_pipelines.testing.destination_suite import DestinationSuite
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import people, versions


class SinkContract(DestinationSuite):
    """What the engine relies on in a destination whose offsets the landing log keeps."""

    def test_it_says_that_it_keeps_nothing(self, destination: Any) -> None:
        """The engine keeps the offset, so that no batch is sent anew by each run."""
        assert not destination.durable

    def test_a_load_counts_its_rows(self, destination: Any) -> None:
        """Those of each batch, whatever their types are."""
        loading = Loading(destination, "append", self.table)
        receipt = loading.load(people())
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (7, 7, 0)
        receipt = loading.load(versions((1, "a", 1)))
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (1, 1, 0)

    def test_an_empty_batch_is_loaded(self, destination: Any) -> None:
        """Nothing to load is no error."""
        receipt = Loading(destination, "append", self.table).load(versions())
        assert (receipt.staged, receipt.loaded) == (0, 0)

    def test_it_tells_no_offset(self, destination: Any) -> None:
        """Neither before a load nor behind one."""
        loading = Loading(destination, "append", self.table)
        assert destination.offset(loading.feed, loading.table) is None
        loading.load(versions((1, "a", 1)))
        assert destination.offset(loading.feed, loading.table) is None
