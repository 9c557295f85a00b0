"""What a destination does when the key of a merge is another than the one that its rows were loaded by."""
# ruff: noqa: S101, ANN401 - suites assert, about any connector

from __future__ import annotations

from typing import Any

import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Feed
from platform_pipelines.testing.destination_suite import DestinationSuite
from platform_pipelines.testing.rows import versions


class KeyContract(DestinationSuite):
    """A changed key takes a new epoch; without one, no row is ever there twice or lost."""

    def test_a_key_that_the_table_lacks_is_refused(self, destination: Any) -> None:
        """The rows that are there could not be found by it."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1), (2, "b", 1)).drop_columns("value"))
        with pytest.raises(InvalidData, match=r"has no column 'value'.* Its columns: id, version\. .* --full-refresh"):
            loading.load(versions((1, "a", 2)), key=("value",))
        assert self._triples(destination) == [(1, None, 1), (2, None, 1)]
        loading.load(versions((1, "A", 2)))
        assert self._triples(destination) == [(1, "A", 2), (2, None, 1)]

    def test_a_new_epoch_may_bring_its_key(self, destination: Any) -> None:
        """The column is added, and the rows of the old key are replaced."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1), (2, "b", 1)).drop_columns("value"))
        receipt = loading.refresh(versions((1, "a", 2), (1, "b", 2)), key=("value",), allow_destructive=True)
        assert (receipt.staged, receipt.loaded) == (2, 2)
        assert self._triples(destination) == [(1, "a", 2), (1, "b", 2)]
        loading.load(versions((7, "b", 3), (1, "c", 3)), key=("value",))
        assert self._triples(destination) == [(1, "a", 2), (1, "c", 3), (7, "b", 3)]

    def test_a_new_epoch_by_a_key_that_its_own_rows_share(self, destination: Any) -> None:
        """They are replaced by the one row that is left of them."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1), (2, "a", 1), (3, "b", 1)))
        receipt = loading.refresh(versions((2, "a", 1)), key=("value",), allow_destructive=True)
        assert (receipt.staged, receipt.loaded) == (1, 1)
        assert self._triples(destination) == [(2, "a", 1)]

    def test_a_merge_by_a_key_that_several_rows_have_is_refused(self, destination: Any) -> None:
        """Which of them it replaces, nobody knows."""
        self._loading(destination, "append", Feed("base")).load(versions((1, "a", 1), (2, "a", 1), (3, "b", 1)))
        loading = self._loading(destination, "merge")
        with pytest.raises(InvalidData, match=r"several rows with one key \(value\), so a merge is ambiguous"):
            loading.load(versions((9, "a", 2)), key=("value",))
        assert self._triples(destination) == [(1, "a", 1), (2, "a", 1), (3, "b", 1)]

    def test_an_update_reaches_every_row_of_a_key(self, destination: Any) -> None:
        """None of them is lost, and columns that the load lacks stay as they are in each."""
        self._loading(destination, "append", Feed("base")).load(versions((1, "a", 1), (2, "a", 1), (3, "b", 1)))
        loading = self._loading(destination, "update")
        loading.load(versions((9, "a", 7)).drop_columns("id"), key=("value",))
        assert self._triples(destination) == [(1, "a", 7), (2, "a", 7), (3, "b", 1)]

    def _triples(self, destination: Any) -> list[tuple[Any, ...]]:
        names = ("id", "value", "version")
        return sorted((tuple(row.get(n) for n in names) for row in self.rows(destination, self.table)), key=str)
