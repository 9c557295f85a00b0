"""Destinations that lack partitions which a run does not read: new ones, and those that were down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import state
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

DAYS = {"by": "day", "field": "at", "start": "2024-01-01", "end": "2024-01-05"}
OUT = {"name": "out", "connector": "mem", "table": "out", "mode": "append"}


def project(world: World, *destinations: dict[str, Any]) -> Any:
    world.put([{"id": day, "at": at(60, day)} for day in (1, 2, 3, 4)])
    return world.project(partitions=DAYS, destinations=list(destinations))


def second(name: str) -> dict[str, Any]:
    return {"name": name, "connector": "mem", "table": name, "mode": "append"}


def test_a_new_destination_gets_all_partitions_from_the_log(world: World) -> None:
    world.run(project(world, OUT))
    world.put([])  # what older partitions hold is not at the source any more
    both = world.project(partitions=DAYS, destinations=[OUT, second("new")])
    report = world.run(both)
    assert world.ids("new") == [1, 2, 3, 4]
    assert world.ids("out") == [1, 2, 3, 4]
    assert set(report.partitions) == {f"2024-01-0{day}" for day in (1, 2, 3, 4)}
    assert report.destinations["new"].rows == 4
    assert report.destinations["out"].rows == 0
    again = world.run(both)
    assert (again.status, again.partitions) == ("nothing_new", ("2024-01-03", "2024-01-04"))  # and its lookback


def test_a_choice_loads_what_was_chosen_alone(world: World) -> None:
    world.run(project(world, OUT))
    world.run(project(world, OUT, second("new")), partitions=("2024-01-02",))
    assert world.ids("new") == [2]


@pytest.mark.parametrize("only", ["landing", "validated", "out"])
def test_another_stage_alone_leaves_it_behind(world: World, only: str) -> None:
    world.run(project(world, OUT))
    both = project(world, OUT, second("new"))
    world.run(both, only=only)
    assert [feed.destinations["new"].behind for feed in state(both, "p").feeds if feed.destinations] == [1, 1, 1, 1]


def test_one_destination_alone_catches_up_too(world: World) -> None:
    world.run(project(world, OUT))
    world.run(project(world, OUT, second("new")), only="new")
    assert world.ids("new") == [1, 2, 3, 4]


def test_a_destination_that_was_down_gets_what_it_missed(world: World, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.write_text("a file where the folder should be")
    files = {"type": "files", "root": str(lake), "format": "parquet"}
    both = project(world, OUT, {"name": "new", "connector": files, "table": "new", "mode": "append"})
    assert world.run(both).status == "partial"
    lake.unlink()
    report = world.run(both)
    assert report.status == "success"
    assert report.destinations["new"].rows == 4
    assert world.ids("out") == [1, 2, 3, 4]


def test_partitions_that_never_had_a_row_are_not_taken_up_again(world: World, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/rows.jsonl").write_text("")
    source = {"connector": {"type": "files", "root": str(tmp_path / "in"), "format": "jsonl"}, "stream": "rows.jsonl"}
    days = world.project(partitions=DAYS, source=source | {"mode": "incremental", "cursor": {"field": "at"}})
    assert world.run(days).error is None
    assert world.run(days).partitions == ("2024-01-03", "2024-01-04")  # the last one and its lookback


def test_a_damaged_log_of_one_partition_holds_back_no_other(world: World) -> None:
    both = project(world, OUT)
    world.run(both)
    (damaged,) = world.root.glob("store/p/feeds/p-2024-01-01/e000001/000001.json")
    damaged.write_text("{")
    world.put([{"id": day, "at": at(60, day)} for day in (1, 2, 3, 4)] + [{"id": 5, "at": at(120, 4)}])
    report = world.run(both)
    assert (report.status, report.destinations["out"].rows) == ("partial", 1)
    assert str(damaged) in str(report.error)
