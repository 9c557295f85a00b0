"""The suite that every destination passes: subclass it, say how to make and read one, and run pytest.

    class TestMyDestination(DestinationContract):
        def make_destination(self, tmp_path):
            return MyConnector(type="my", path=str(tmp_path / "db"))

        def rows(self, destination, table):
            return [...]                      # mappings, without columns that begin with _pipelines_

Modes that the connector does not have are skipped. A destination that keeps nothing that could be asked for,
neither offsets nor rows, passes ``SinkContract`` instead.
"""
# ruff: noqa: S101, ANN401 - suites assert, about any connector

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import OffsetConflict
from platform_pipelines.model import Feed, Offset
from platform_pipelines.testing.key_contract import KeyContract
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import people, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from platform_pipelines.model import Mode


class DestinationContract(KeyContract):
    """What the engine relies on in a destination."""

    def test_every_value_arrives_as_it_is(self, destination: Any) -> None:
        """Text, NULL and empty, large integers, decimals, days and microseconds survive."""
        loading = self._loading(destination, "append")
        receipt = loading.load(people())
        assert self._found(loading) == people().to_pylist()
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (7, 7, 0)

    def test_appends_add_up(self, destination: Any) -> None:
        """Each batch is there once, and the offset is the last one's."""
        loading = self._loading(destination, "append")
        loading.load(versions((1, "a", 1)))
        loading.load(versions((2, "b", 1)))
        assert self._values(loading) == {1: "a", 2: "b"}
        assert destination.offset(loading.feed, loading.table) == Offset(1, 2)

    def test_an_empty_batch_moves_the_offset(self, destination: Any) -> None:
        """Nothing to load is loaded, too."""
        loading = self._loading(destination, "append")
        loading.load(versions((1, "a", 1)))
        loading.load(versions())
        assert self._values(loading) == {1: "a"}
        assert destination.offset(loading.feed, loading.table) == Offset(1, 2)

    def test_an_unknown_feed_has_no_offset(self, destination: Any) -> None:
        """Neither before the first load nor for another feed."""
        loading = self._loading(destination, "append")
        assert destination.offset(loading.feed, loading.table) is None
        loading.load(versions((1, "a", 1)))
        assert destination.offset(Feed("other"), loading.table) is None

    def test_a_batch_is_not_loaded_twice(self, destination: Any) -> None:
        """A repeat that does not know of the first is refused, and changes nothing."""
        loading = self._loading(destination, "append")
        loading.attempt(versions((1, "a", 1)))
        with pytest.raises(OffsetConflict):
            loading.attempt(versions((1, "a", 1)))
        assert self._found(loading) == [{"id": 1, "value": "a", "version": 1}]

    def test_a_load_that_breaks_off_leaves_nothing(self, destination: Any) -> None:
        """Rows and offset stay as they were, and a later load is whole."""
        loading = self._loading(destination, "append")
        loading.load(versions((1, "a", 1)))
        rows = versions((2, "b", 1))
        with pytest.raises(Exception, match="the line went dead"):
            destination.load(loading.next(rows.schema, 1, buffer_bytes=1), _breaking(rows))
        assert self._values(loading) == {1: "a"}
        assert destination.offset(loading.feed, loading.table) == Offset(1, 1)
        loading.load(rows)
        assert self._values(loading) == {1: "a", 2: "b"}

    def test_a_new_epoch_replaces_what_its_feed_appended(self, destination: Any) -> None:
        """And leaves the rows of other feeds."""
        one = self._loading(destination, "append", Feed("people", "2026-01-01"))
        other = self._loading(destination, "append", Feed("people", "2026-01-02"))
        one.load(versions((1, "a", 1), (2, "b", 1)))
        other.load(versions((3, "c", 1)))
        one.refresh(versions((4, "d", 1)))
        assert self._values(one) == {3: "c", 4: "d"}

    def test_replace_replaces_the_table(self, destination: Any) -> None:
        """The first batch of an epoch does; the rest of the epoch is added."""
        loading = self._loading(destination, "replace")
        loading.load(versions((1, "a", 1)), fresh=True)
        loading.refresh(versions((2, "b", 1)))
        loading.load(versions((3, "c", 1)))
        assert self._values(loading) == {2: "b", 3: "c"}

    def test_replace_of_a_partition_leaves_the_others(self, destination: Any) -> None:
        """Only rows of the partition's own feed go."""
        one = self._loading(destination, "replace", Feed("people", "eu"))
        other = self._loading(destination, "replace", Feed("people", "us"))
        one.load(versions((1, "a", 1)), fresh=True)
        other.load(versions((2, "b", 1)), fresh=True)
        one.refresh(versions((3, "c", 1)))
        assert self._values(one) == {2: "b", 3: "c"}

    def test_merge_inserts_and_updates(self, destination: Any) -> None:
        """A key is there once; an equal cursor updates."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1), (2, "b", 1)))
        receipt = loading.load(versions((2, "B", 1), (3, "c", 2)))
        assert self._values(loading) == {1: "a", 2: "B", 3: "c"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 2, 0)

    def test_an_older_row_never_overwrites_a_newer_one(self, destination: Any) -> None:
        """It is counted as superseded; a row without a cursor gives way."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "new", 5), (2, "none", None)))
        receipt = loading.load(versions((1, "old", 4), (2, "some", 1)))
        assert self._values(loading) == {1: "new", 2: "some"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)

    def test_a_row_that_lost_its_cursor_overwrites_what_its_own_feed_loaded(self, destination: Any) -> None:
        """The feed read it later; of a row of another feed nobody knows."""
        one = self._loading(destination, "merge", Feed("people", "eu"))
        other = self._loading(destination, "merge", Feed("people", "us"))
        one.load(versions((1, "a", 5)))
        other.load(versions((2, "b", 5)))
        receipt = one.load(versions((1, "A", None), (2, "?", None)))
        assert self._values(one) == {1: "A", 2: "b"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)
        one.load(versions((1, "dated", 4)))
        assert self._values(one) == {1: "dated", 2: "b"}

    def test_without_a_cursor_the_later_load_wins(self, destination: Any) -> None:
        """There is nothing to compare."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "first", 5)), cursor=None)
        loading.load(versions((1, "second", 4)), cursor=None)
        assert self._values(loading) == {1: "second"}

    def test_a_new_epoch_of_a_merge(self, destination: Any) -> None:
        """Own rows are replaced, even by older ones, or removed; newer rows of other feeds stay."""
        one = self._loading(destination, "merge", Feed("people", "2026-01-01"))
        other = self._loading(destination, "merge", Feed("people", "2026-01-02"))
        one.load(versions((1, "a", 5), (2, "b", 1), (3, "c", 1)))
        other.load(versions((3, "C", 9)))
        one.refresh(versions((1, "again", 1), (3, "late", 2)))
        assert self._values(one) == {1: "again", 3: "C"}

    def test_update_touches_only_keys_that_are_there(self, destination: Any) -> None:
        """Others are counted as superseded."""
        self._loading(destination, "append", Feed("base")).load(versions((1, "a", 1), (2, "b", 1)))
        updates = self._loading(destination, "update", Feed("changes"))
        receipt = updates.load(versions((2, "B", 2), (9, "z", 2)))
        assert self._values(updates) == {1: "a", 2: "B"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)

    def test_delete_removes_by_key(self, destination: Any) -> None:
        """Keys that are not there are counted as superseded."""
        self._loading(destination, "append", Feed("base")).load(versions((1, "a", 1), (2, "b", 1)))
        deletes = self._loading(destination, "delete", Feed("gone"))
        receipt = deletes.load(versions((2, None, None), (9, None, None)))
        assert self._values(deletes) == {1: "a"}
        assert receipt.staged == receipt.loaded + receipt.superseded

    def test_hard_deletes_within_a_merge(self, destination: Any) -> None:
        """A row whose delete field is filled removes its key."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1), (2, "b", 1)))
        loading.load(_deleting(versions((2, "b", 2), (3, "c", 2)), [2]), delete_field="deleted", delete_action="hard")
        assert self._values(loading) == {1: "a", 3: "c"}

    def test_own_deletes_spare_rows_that_another_feed_wrote_last(self, destination: Any) -> None:
        """A key that left one partition may have come to another."""
        one, other, delete = self._two_partitions(destination, "delete")
        receipt = delete.load(versions((1, "a", 1), (2, "b", 1)).select(["id"]), own=True)
        assert self._values(one) == {2: "B", 3: "c"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)
        other.load(versions((3, "C", 9)))
        assert self._values(one) == {2: "B", 3: "C"}

    def test_own_updates_spare_rows_that_another_feed_wrote_last(self, destination: Any) -> None:
        """They keep all their values."""
        one, _, update = self._two_partitions(destination, "update")
        marks = versions((1, "gone", 1), (2, "gone", 1)).select(["id", "value"])
        receipt = update.load(marks, own=True)
        assert self._values(one) == {1: "gone", 2: "B", 3: "c"}
        assert (receipt.staged, receipt.loaded, receipt.superseded) == (2, 1, 1)

    def test_columns_come_and_go(self, destination: Any) -> None:
        """A new column is added, one that a load lacks stays NULL, a wider type is taken."""
        loading = self._loading(destination, "append")
        loading.load(versions((1, "a", 1)).drop_columns("version"))
        loading.load(versions((2, "b", 2**62)))
        loading.load(versions((3, "c", 3)).drop_columns("value"))
        found = {row["id"]: (row["value"], row["version"]) for row in self._found(loading)}
        assert found == {1: ("a", None), 2: ("b", 2**62), 3: (None, 3)}

    def test_a_type_is_widened(self, destination: Any) -> None:
        """From 32 to 64 bits, nothing lost."""
        import pyarrow as pa

        loading = self._loading(destination, "append")
        rows = versions((1, "a", 7))
        loading.load(rows.set_column(2, "version", rows.column("version").cast(pa.int32())))
        loading.load(versions((2, "b", 2**62)))
        assert {row["id"]: row["version"] for row in self._found(loading)} == {1: 7, 2: 2**62}

    def test_a_merge_keeps_columns_that_it_lacks(self, destination: Any) -> None:
        """The old values stay with the row."""
        loading = self._loading(destination, "merge")
        loading.load(versions((1, "a", 1)))
        loading.load(versions((1, "?", 2), (2, "?", 2)).drop_columns("value"))
        assert self._values(loading) == {1: "a", 2: None}

    def test_two_tables_keep_their_own_offsets(self, destination: Any) -> None:
        """One feed may go to several tables."""
        one = self._loading(destination, "append")
        other = Loading(destination, "append", self.table + "_2")
        one.load(versions((1, "a", 1)))
        assert destination.offset(other.feed, other.table) is None
        other.load(versions((2, "b", 1)))
        assert self._values(one) == {1: "a"}
        assert self._values(other) == {2: "b"}

    def _two_partitions(self, destination: Any, mode: Mode) -> tuple[Loading, Loading, Loading]:
        """Rows 1 and 3 of one feed, 2 taken over by another; and loads of the first feed in another mode."""
        one = self._loading(destination, "merge", Feed("people", "eu"))
        other = self._loading(destination, "merge", Feed("people", "us"))
        one.load(versions((1, "a", 1), (2, "b", 1), (3, "c", 1)))
        other.load(versions((2, "B", 2)))
        then = self._loading(destination, mode, one.feed)
        then.sequence = one.sequence
        return one, other, then

    def _found(self, loading: Loading) -> list[dict[str, Any]]:
        return sorted(self.rows(loading.destination, loading.table), key=lambda row: row["id"])

    def _values(self, loading: Loading) -> dict[int, str | None]:
        found = self._found(loading)
        assert len(found) == len({row["id"] for row in found}), "a key is there twice"
        return {row["id"]: row["value"] for row in found}


def _breaking(rows: pa.Table) -> pa.RecordBatchReader:
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        msg = "the line went dead"
        raise OSError(msg)

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _deleting(rows: pa.Table, ids: list[int]) -> pa.Table:
    import pyarrow as pa

    marks = ["2026-01-01" if i in ids else None for i in rows.column("id").to_pylist()]
    return rows.append_column("deleted", pa.array(marks, pa.string()))
