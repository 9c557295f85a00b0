from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine.landing import land
from platform_pipelines.errors import CursorError
from platform_pipelines.model import Feed
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Landed, Project


def landed(world: World, project: Project | None = None, **options: object) -> Landed:
    (result,) = land(world.context(project, **options), [FEED])
    return result


def test_first_read_takes_all_and_the_watermark_is_the_highest_cursor(world: World) -> None:
    world.put([{"id": 1, "at": at(5)}, {"id": 2, "at": at(3)}])
    result = landed(world)
    assert (result.batches, result.read, result.rows) == (1, 2, 2)
    assert result.watermark_from is None
    assert result.watermark_to is not None
    assert result.watermark_to.plain() == "2024-01-01T00:00:05Z"


def test_ties_at_the_watermark_are_neither_lost_nor_doubled(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    landed(world)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}, {"id": 3, "at": at(2)}])
    again = landed(world)
    assert (again.read, again.rows, again.deduplicated) == (2, 1, 1)
    assert landed(world).batches == 0
    world.put([{"id": 2, "at": at(2)}, {"id": 3, "at": at(2)}, {"id": 4, "at": at(2)}])
    third = landed(world)
    assert (third.rows, third.deduplicated) == (1, 2), "ties of two batches are both remembered"


def test_identical_rows_at_the_watermark_are_counted_not_merged(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}, {"id": 1, "at": at(1)}])
    assert landed(world).rows == 2
    world.put([{"id": 1, "at": at(1)}] * 3)
    again = landed(world)
    assert (again.rows, again.deduplicated) == (1, 2)


def test_a_row_changed_without_moving_its_cursor_is_read(world: World) -> None:
    world.put([{"id": 1, "v": "a", "at": at(1)}])
    landed(world)
    world.put([{"id": 1, "v": "b", "at": at(1)}])
    assert landed(world).rows == 1


def test_lag_reads_late_rows_and_doubles_none(world: World) -> None:
    project = world.project(
        source={
            "connector": "mem",
            "stream": "rows",
            "mode": "incremental",
            "cursor": {"field": "at", "lag": "10s"},
        }
    )
    early = [{"id": 1, "at": at(100)}, {"id": 2, "at": at(95)}, {"id": 3, "at": at(50)}]
    world.put(early)
    landed(world, project)
    world.put([*early, {"id": 4, "at": at(92)}, {"id": 5, "at": at(85)}])
    result = landed(world, project)
    assert (result.rows, result.deduplicated) == (1, 2)
    assert result.watermark_to == result.watermark_from
    world.put([*early, {"id": 4, "at": at(92)}, {"id": 6, "at": at(101)}])
    assert landed(world, project).rows == 1


@pytest.mark.parametrize(("choice", "rows", "filtered"), [("include", 2, 0), ("skip", 1, 1)])
def test_rows_without_cursor_are_counted(world: World, choice: str, rows: int, filtered: int) -> None:
    project = world.project(
        source={
            "connector": "mem",
            "stream": "rows",
            "mode": "incremental",
            "cursor": {"field": "at", "on_missing": choice},
        }
    )
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": None}])
    result = landed(world, project)
    assert (result.read, result.rows, result.filtered) == (2, rows, filtered)
    again = landed(world, project)
    assert again.batches == 0, "a row without cursor lands once"
    assert landed(world, project).batches == 0


def test_a_row_without_cursor_fails_by_default_and_lands_nothing(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": None}])
    with pytest.raises(CursorError, match=r"Cursor `at` of stream `rows` is NULL in 1 of 2 rows .*on_missing"):
        landed(world)
    assert world.project().store.feed(FEED).sequences(1) == []


@pytest.mark.parametrize("choice", ["fail", "include", "skip"])
def test_a_cursor_that_is_no_number_is_none(world: World, choice: str) -> None:
    """Nothing can be read from NaN on, and it is equal to no row that was read before."""
    cursor = {"field": "u", "on_missing": choice}
    project = world.project(source={"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": cursor})
    MemoryConnector.put("rows", pa.table({"id": [1, 2], "u": [1.5, float("nan")]}), world.space)
    if choice == "skip":
        result = landed(world, project)
        assert (result.read, result.rows, result.filtered) == (2, 1, 1)
        return
    with pytest.raises(
        CursorError, match=r"`u` of stream `rows` is NaN in 1 of 2 rows .* as `cursor.on_missing` `skip`"
    ):
        landed(world, project)


def test_a_missing_cursor_names_the_columns(world: World) -> None:
    MemoryConnector.put("rows", pa.table({"id": [1], "when": [2]}), world.space)
    with pytest.raises(CursorError, match=r"at.* not a column of .*stream.*id, when"):
        landed(world)


def test_a_changed_cursor_type_is_a_named_error_with_the_fix(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}])
    landed(world)
    MemoryConnector.put("rows", pa.table({"id": [1], "at": [5]}), world.space)
    with pytest.raises(CursorError, match=r"--full-refresh"):
        landed(world)


def test_a_naive_timestamp_needs_a_zone(world: World) -> None:
    MemoryConnector.put("rows", pa.table({"id": [1], "at": [dt.datetime(2024, 1, 1)]}), world.space)  # noqa: DTZ001
    with pytest.raises(CursorError, match=r"timestamp without time zone.*timezone: UTC"):
        landed(world)


def test_a_full_refresh_opens_a_new_epoch(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}])
    project = world.project()
    landed(world, project)
    landed(world, project, full_refresh=True)
    log = project.store.feed(FEED)
    assert log.epochs() == [1, 2]
    assert log.epoch_info(2)["reason"] == "full refresh asked for"
    assert landed(world, project).batches == 0, "the new epoch has its own watermark"


def test_an_interrupted_full_refresh_is_taken_up_by_the_next_run(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}])
    project = world.project()
    landed(world, project)
    world.put([{"id": 1, "at": None}])
    with pytest.raises(CursorError):
        landed(world, project, full_refresh=True)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    result = landed(world, project)
    assert (result.rows, project.store.feed(FEED).live_epoch()) == (2, 2)


def test_an_empty_source_lands_an_empty_first_batch_and_then_nothing(world: World) -> None:
    MemoryConnector.put(
        "rows", pa.table({"id": pa.array([], pa.int64()), "at": pa.array([], pa.timestamp("us", "UTC"))}), world.space
    )
    first = landed(world)
    assert (first.batches, first.rows, first.watermark_to) == (1, 0, None)
    assert landed(world).batches == 0
    world.put([{"id": 1, "at": at(1)}])
    assert landed(world).rows == 1


def test_integer_and_string_cursors(world: World) -> None:
    for values, more in (([1, 2], 3), (["a", "b"], "c")):
        world = World(world.root / str(more))
        MemoryConnector.put("rows", pa.table({"id": [1, 2], "at": values}), world.space)
        assert landed(world).rows == 2
        MemoryConnector.put("rows", pa.table({"id": [1, 2, 3], "at": [*values, more]}), world.space)
        result = landed(world)
        assert (result.rows, result.deduplicated) == (1, 1)
        assert result.watermark_to is not None
        assert result.watermark_to.plain() == more


def test_initial_leaves_older_rows_out(world: World) -> None:
    source = {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at", "initial": "2024-01-01T00:00:02Z"},
    }
    world.put([{"id": n, "at": at(n)} for n in range(5)])
    assert landed(world, world.project(source=source)).rows == 3


def test_a_new_column_at_the_boundary_doubles_nothing(world: World) -> None:
    world.put([{"id": 1, "at": at(1)}])
    landed(world)
    world.put([{"id": 1, "at": at(1), "new": "x"}, {"id": 2, "at": at(2), "new": "y"}])
    result = landed(world)
    assert (result.rows, result.deduplicated) == (1, 1)


@pytest.mark.parametrize(
    ("value", "narrow", "wide"),
    [
        (1, pa.int64(), pa.decimal128(38, 2)),
        (100, pa.int64(), pa.decimal128(38, 2)),
        (Decimal("1.50"), pa.decimal128(10, 2), pa.decimal128(10, 4)),
        (7, pa.int32(), pa.float64()),
        (dt.date(2024, 1, 1), pa.date32(), pa.timestamp("us")),
    ],
)
def test_a_wider_type_at_the_boundary_doubles_nothing(
    world: World, value: object, narrow: pa.DataType, wide: pa.DataType
) -> None:
    rows = pa.table({"at": pa.array([at(1)], pa.timestamp("us", "UTC")), "v": pa.array([value], narrow)})
    world.put(rows)
    assert landed(world).rows == 1
    world.put(rows.set_column(1, "v", rows["v"].cast(wide)))
    result = landed(world)
    assert (result.rows, result.deduplicated) == (0, 1)


def test_the_repeated_hour_is_read_again(world: World) -> None:
    source = {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at", "timezone": "America/New_York"},
    }
    project = world.project(source=source)

    def put(*texts: str) -> None:
        values = [dt.datetime.fromisoformat(text) for text in texts]
        MemoryConnector.put("rows", pa.table({"id": list(range(len(values))), "at": values}), world.space)

    put("2024-11-03T00:30:00", "2024-11-03T01:50:00")
    assert landed(world, project).rows == 2
    put("2024-11-03T00:30:00", "2024-11-03T01:50:00", "2024-11-03T01:10:00")
    result = landed(world, project)
    assert (result.rows, result.deduplicated) == (1, 1), "01:10 of the second pass is new"
    put("2024-11-03T00:30:00", "2024-11-03T01:50:00", "2024-11-03T01:10:00", "2024-11-03T02:00:00")
    assert landed(world, project).rows == 1


def test_lag_reaches_across_the_hour_that_is_left_out(world: World) -> None:
    """03:24 summer time is 25 minutes after 01:59, whatever the clock on the wall says."""
    cursor = {"field": "at", "timezone": "Europe/Berlin", "lag": "25m"}
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": cursor}
    project = world.project(source=source)

    def put(*minutes: str) -> None:
        values = [dt.datetime.fromisoformat(f"2026-03-29T{minute}:00") for minute in minutes]
        MemoryConnector.put("rows", pa.table({"id": list(range(len(values))), "at": values}), world.space)

    put("01:00", "03:24")
    assert landed(world, project).rows == 2
    put("01:00", "03:24", "01:59", "01:58")
    result = landed(world, project)
    assert (result.rows, result.deduplicated) == (1, 1), "01:58 lies before the lag"


def test_partitions_have_their_own_watermarks(world: World) -> None:
    project = world.project(
        partitions={"by": "day", "field": "at", "start": "2024-01-01", "end": "2024-01-04"},
    )
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(1, 2)}, {"id": 3, "at": at(2, 2)}])
    feeds = [Feed("p", f"2024-01-0{day}") for day in (2, 1, 3)]
    results = land(world.context(project), feeds)
    assert [result.rows for result in results] == [2, 1, 0]
    marks = [result.watermark_to.plain() if result.watermark_to else None for result in results]
    assert marks == ["2024-01-02T00:00:02Z", "2024-01-01T00:00:01Z", None]


def test_a_row_that_changes_back_without_moving_its_cursor_is_read(world: World) -> None:
    project = world.project(
        destinations=[{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]
    )
    for value in "aba":
        world.put([{"id": 1, "v": value, "at": at(1)}])
        world.run(project)
    assert [row["v"] for row in world.rows()] == ["a"]


def test_a_new_column_within_lag_doubles_nothing(world: World) -> None:
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at", "lag": "10s"}}
    project = world.project(source=source)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(5)}])
    world.run(project)
    world.put(
        [{"id": 1, "at": at(1), "new": None}, {"id": 2, "at": at(5), "new": None}, {"id": 3, "at": at(6), "new": 1}]
    )
    for _ in range(3):
        world.run(project)
    assert world.ids() == [1, 2, 3]
