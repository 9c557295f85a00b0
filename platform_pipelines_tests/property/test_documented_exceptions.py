"""Where an incremental read does not equal its source, as docs/explanation/incremental-reads.md says."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines_tests.property.cursor_histories import DAYS, KINDS, LAG, MINUTE, History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEGIN = KINDS["instants"].begin
FAR = BEGIN + 10 * LAG


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    yield lambda *, partitioned=False: History(KINDS["instants"], partitioned, tmp_path)
    MemoryConnector.clear(tmp_path.name)


def _put(history: History, number: int, at: dt.datetime | None, value: str, day: dt.date | None = DAYS[0]) -> None:
    history.rows[number] = (number, at, day, value)  # type: ignore[assignment]


def _values(history: History) -> dict[int, str]:
    return {number: row[3] for number, row in history.loaded().items()}


@pytest.mark.parametrize(("late", "arrives"), [(LAG, True), (LAG + MINUTE / 60, False)])
def test_a_row_that_commits_later_than_lag_reaches_waits_for_a_full_refresh(
    history: Callable[..., History], late: dt.timedelta, *, arrives: bool
) -> None:
    source = history()
    _put(source, 1, FAR, "a")
    source.run()
    _put(source, 2, FAR - late, "b")
    source.run()
    assert (2 in source.loaded()) == arrives
    source.run(full_refresh=True)
    assert source.loaded() == source.source()


@pytest.mark.parametrize(("ahead", "arrives"), [(LAG, True), (LAG + MINUTE, False)])
def test_rows_of_a_clock_that_was_ahead_and_is_set_right_wait_until_it_has_caught_up(
    history: Callable[..., History], ahead: dt.timedelta, *, arrives: bool
) -> None:
    source = history()
    _put(source, 1, FAR + ahead, "from the future")
    source.run()
    _put(source, 2, FAR, "set right")
    _put(source, 3, FAR + MINUTE, "a minute later")
    source.run()
    assert (2 in source.loaded(), 3 in source.loaded()) == (arrives, True)
    _put(source, 1, FAR + ahead - MINUTE, "changed since")
    source.run()
    assert _values(source)[1] == "from the future", "its cursor went back"
    _put(source, 1, FAR + ahead + MINUTE, "caught up")
    _put(source, 4, FAR + ahead + MINUTE, "caught up")
    source.run()
    values = _values(source)
    assert (values[1], values[4], 2 in values) == ("caught up", "caught up", arrives)
    source.run(full_refresh=True)
    assert source.loaded() == source.source()


def test_a_change_with_an_older_cursor_gives_way(history: Callable[..., History]) -> None:
    source = history()
    _put(source, 1, FAR, "new")
    source.run()
    _put(source, 1, FAR - MINUTE, "old")
    source.run()
    assert _values(source) == {1: "new"}
    source.run(full_refresh=True)
    assert _values(source) == {1: "old"}


def test_a_row_that_loses_its_cursor_overwrites_what_its_own_feed_loaded(history: Callable[..., History]) -> None:
    source = history()
    _put(source, 1, FAR, "dated")
    source.run()
    _put(source, 1, None, "without")
    source.run()
    assert _values(source) == {1: "without"}


def test_a_row_without_a_cursor_gives_way_to_what_another_partition_loaded(history: Callable[..., History]) -> None:
    source = history(partitioned=True)
    _put(source, 1, FAR, "dated", DAYS[0])
    source.run((str(DAYS[0]),))
    _put(source, 1, None, "without", DAYS[1])
    source.run((str(DAYS[1]),))
    assert _values(source) == {1: "dated"}


def test_a_cursor_that_comes_back_with_its_old_value_passes_for_the_old_version(
    history: Callable[..., History],
) -> None:
    source = history()
    _put(source, 1, FAR, "first")
    source.run()
    _put(source, 1, None, "between")
    source.run()
    _put(source, 1, FAR, "first")
    source.run()
    assert _values(source) == {1: "between"}
    _put(source, 1, FAR + MINUTE, "first")
    source.run()
    assert _values(source) == {1: "first"}


def test_rows_outside_of_all_partitions_are_read_by_none(history: Callable[..., History]) -> None:
    source = history(partitioned=True)
    _put(source, 1, FAR, "in", DAYS[0])
    _put(source, 2, FAR, "before", DAYS[0] - dt.timedelta(days=1))
    _put(source, 3, FAR, "null", None)
    report = source.run()
    assert (report.read, _values(source)) == (1, {1: "in"})


def test_a_deleted_row_stays_without_a_declaration(history: Callable[..., History]) -> None:
    source = history()
    _put(source, 1, FAR, "a")
    _put(source, 2, FAR, "b")
    source.run()
    del source.rows[1]
    source.run()
    assert _values(source) == {1: "a", 2: "b"}
    source.run(full_refresh=True)
    assert _values(source) == {2: "b"}
