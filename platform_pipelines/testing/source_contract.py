"""The suite that every source passes: subclass it, say how to fill a stream, and run pytest.

class TestMySource(SourceContract):
    def make_source(self, tmp_path, table):
        ...
        return MyConnector(type="my", path=str(path)), "people"
"""
# ruff: noqa: S101, PLR2004, ANN401 - suites assert, on figures, about any connector

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.base import ChangeAware, Plannable, Source
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import PipelinesError
from platform_pipelines.model import Stream, TimeSlice, ValueSlice, Window
from platform_pipelines.testing.rows import people, records

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_UTC = dt.UTC


class SourceContract:
    """What the engine relies on in a source."""

    #: whether the source knows cursor windows and partitions; one that does not returns all rows
    bounded = True
    #: whether the source keeps instants; one that does not returns timestamps without zone, in UTC
    zoned = True

    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        """A connection to a system that holds ``table``, and the stream's name."""
        raise NotImplementedError

    @pytest.fixture
    def filled(self, tmp_path: Path) -> tuple[Any, str]:
        """A source that holds ``people``."""
        return self.make_source(tmp_path, people())

    def test_it_is_a_source(self, filled: tuple[Any, str]) -> None:
        """It has the methods of a source."""
        assert isinstance(filled[0], Source)

    def test_check_says_nothing_when_all_is_well(self, filled: tuple[Any, str]) -> None:
        """A check of a system that is there passes."""
        assert filled[0].check() is None

    def test_streams_are_listed_by_name(self, filled: tuple[Any, str]) -> None:
        """The stream is on offer, and names are sorted."""
        source, stream = filled
        names = [info.name for info in source.streams()]
        assert stream in names
        assert names == sorted(names)

    def test_every_value_arrives_as_it_is(self, filled: tuple[Any, str]) -> None:
        """Text, NULL, large integers, decimals, days and microseconds survive."""
        found = self._read(*filled)
        expected = people().to_pylist()
        if not self.zoned:
            expected = [{**row, "updated_at": row["updated_at"].replace(tzinfo=None)} for row in expected]
        assert sorted(found, key=lambda r: r["id"]) == expected

    def test_all_pages_have_one_schema(self, filled: tuple[Any, str]) -> None:
        """No page changes the columns or their types."""
        source, stream = filled
        pages = list(source.read(Stream(stream), Window(), None))
        assert len({str(batch.schema) for page in pages for batch in page.batches}) == 1

    def test_reading_twice_gives_the_same(self, filled: tuple[Any, str]) -> None:
        """A read takes nothing away."""
        key = str
        assert sorted(self._read(*filled), key=key) == sorted(self._read(*filled), key=key)

    def test_low_is_included_and_high_is_not(self, filled: tuple[Any, str]) -> None:
        """The window is half-open."""
        self._needs_bounds()
        window = Window("updated_at", _at(2), _at(5))
        assert self._ids(*filled, window) == [2, 3, 4]

    def test_an_empty_window_reads_nothing(self, filled: tuple[Any, str]) -> None:
        """A window beyond the last cursor is no error."""
        self._needs_bounds()
        assert self._ids(*filled, Window("updated_at", Cursor("timestamptz", "2030-01-01T00:00:00Z"))) == []

    def test_integers_bound_exactly(self, filled: tuple[Any, str]) -> None:
        """A bound near 2^63 is compared as an integer, and NULL cursors come along."""
        self._needs_bounds()
        window = Window("big", Cursor("int", "9223372036854775806"))
        assert self._ids(*filled, window) == [0, 1, 2]

    def test_null_cursors_may_be_left_out_only_where_they_are_skipped(self, filled: tuple[Any, str]) -> None:
        """``include`` and ``fail`` need them; the engine decides."""
        self._needs_bounds()
        low = Cursor("int", "0")
        assert 2 in self._ids(*filled, Window("big", low, on_missing="include"))
        assert 2 in self._ids(*filled, Window("big", low, on_missing="fail"))

    def test_partitions_by_time_hold_each_row_once(self, filled: tuple[Any, str]) -> None:
        """Days cover all rows, and none twice."""
        self._needs_bounds()
        found = [i for day in range(1, 9) for i in self._ids(*filled, Window(partition=_day(day)))]
        assert found == list(range(7))

    def test_partitions_by_value_hold_their_value(self, filled: tuple[Any, str]) -> None:
        """``field = value``, leading zeros and all."""
        self._needs_bounds()
        assert self._ids(*filled, Window(partition=ValueSlice("zip", "00124"))) == [4]

    def test_a_missing_stream_is_named(self, filled: tuple[Any, str]) -> None:
        """The message holds the name that was asked for."""
        source, _ = filled
        with pytest.raises(PipelinesError, match="no_such_stream"):
            list(source.read(Stream("no_such_stream"), Window(), None))

    def test_a_plan_reads_nothing_and_names_the_stream(self, filled: tuple[Any, str]) -> None:
        """Where it can plan, the plan shows what would be read."""
        source, stream = filled
        if not isinstance(source, Plannable):
            pytest.skip(f"{source.type} has no `plan_read`: it cannot plan")
        plan = source.plan_read(Stream(stream), Window("updated_at", _at(2)) if self.bounded else Window())
        assert stream.split(".")[-1].split("*", maxsplit=1)[0] in plan.query

    def test_it_tells_how_far_each_partition_has_come(self, filled: tuple[Any, str]) -> None:
        """Where it can tell, partitions without rows are left out."""
        source, stream = filled
        if not isinstance(source, ChangeAware):
            pytest.skip(f"{source.type} has no `partition_cursors`: it cannot tell how far partitions have come")
        slices: dict[str, TimeSlice | ValueSlice] = {str(day): _day(day) for day in (1, 2, 20)}
        found = source.partition_cursors(Stream(stream), Window("updated_at"), slices)
        expected = {"1": _at(0), "2": _at(1)}
        if not self.zoned:
            expected = {key: Cursor("timestamp", at.text.removesuffix("Z")) for key, at in expected.items()}
        assert found == expected

    def _needs_bounds(self) -> None:
        if not self.bounded:
            pytest.skip("the suite says `bounded = False`: the source knows no windows")

    def _read(self, source: Any, stream: str, window: Window | None = None) -> list[dict[str, Any]]:
        return records(list(source.read(Stream(stream), window or Window(), None)))

    def _ids(self, source: Any, stream: str, window: Window) -> list[int]:
        return sorted(row["id"] for row in self._read(source, stream, window))


def _at(row: int) -> Cursor:
    return Cursor("timestamptz", f"2026-01-{row + 1:02d}T23:59:59.999999Z")


def _day(day: int) -> TimeSlice:
    start = dt.datetime(2026, 1, day, tzinfo=_UTC)
    return TimeSlice("updated_at", start, start + dt.timedelta(days=1))
