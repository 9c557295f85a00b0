"""Runs of partitioned pipelines: which partitions, in which order, again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.engine import land
from platform_pipelines.engine.resetting import reset
from platform_pipelines.engine.scope import due_feeds
from platform_pipelines.engine.told import Told
from platform_pipelines.errors import UsageError
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project

MERGE = [{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]
AGE = {"rules": [{"id": "age", "type": "range", "field": "age", "min": 0, "severity": "error"}]}
DAYS = {"by": "day", "field": "at", "start": "2024-01-01", "end": "2024-01-04"}


def test_partitions_can_be_run_in_any_order_and_again(world: World) -> None:
    project = world.project(partitions=DAYS, destinations=MERGE)
    world.put([{"id": n, "v": "a", "at": at(n, day)} for n, day in ((1, 1), (2, 2), (3, 3))])
    for key in ("2024-01-03", "2024-01-01", "2024-01-02"):
        assert world.run(project, partitions=(key,)).partitions == (key,)
    assert world.ids() == [1, 2, 3]
    assert world.run(project).status == "nothing_new"
    world.put([{"id": 1, "v": "b", "at": at(5, 1)}, {"id": 3, "v": "a", "at": at(3, 3)}])
    world.run(project, partitions=("2024-01-01",), full_refresh=True)
    assert {row["id"]: row["v"] for row in world.rows()} == {1: "b", 2: "a", 3: "a"}


def test_a_backfill_never_takes_back_a_newer_row(world: World) -> None:
    project = world.project(partitions=DAYS, destinations=MERGE)
    world.put([{"id": 1, "v": "day 1", "at": at(1, 1)}])
    world.run(project, partitions=("2024-01-01",))
    world.put([{"id": 1, "v": "day 2", "at": at(1, 2)}])
    world.run(project, partitions=("2024-01-02",))
    world.put([{"id": 1, "v": "day 1", "at": at(1, 1)}, {"id": 1, "v": "day 2", "at": at(1, 2)}])
    world.run(project, partitions=("2024-01-01",), full_refresh=True)
    assert [row["v"] for row in world.rows()] == ["day 2"]


def test_a_range_runs_every_partition_in_it(world: World) -> None:
    project = world.project(partitions=DAYS, destinations=MERGE)
    world.put([{"id": day, "at": at(1, day)} for day in (1, 2, 3)])
    report = world.run(project, window_from="2024-01-01", window_to="2024-01-03")
    assert report.partitions == ("2024-01-01", "2024-01-02")
    assert world.ids() == [1, 2]
    report = world.run(project)
    assert report.partitions == ("2024-01-02", "2024-01-03"), "what never landed, the current one and the lookback"


def test_a_step_that_is_tried_again_keeps_the_partitions_it_chose(world: World) -> None:
    project = world.project(partitions=DAYS, destinations=MERGE)
    world.put([{"id": day, "at": at(1, day)} for day in (1, 2, 3)])
    context = world.context(project)
    chosen = due_feeds(context, Told(project, "p"))
    assert [feed.key for feed in chosen] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    land(context, chosen)
    assert due_feeds(context, Told(project, "p")) == chosen
    assert due_feeds(world.context(project), Told(project, "p")) == chosen[1:]


@pytest.mark.parametrize("checkpoint", [{}, {"checkpoint_pages": 1}])
def test_partitions_whose_first_read_failed_or_that_were_reset_are_due(
    world: World, checkpoint: dict[str, int]
) -> None:
    def project(stream: str) -> Project:
        source = {"connector": "mem", "stream": stream, "mode": "incremental", "cursor": {"field": "at"}}
        return world.project(partitions=DAYS, destinations=MERGE, source=source | checkpoint)

    world.put([{"id": day, "at": at(1, day)} for day in (1, 2, 3)])
    days = ("2024-01-01", "2024-01-02", "2024-01-03")
    assert (world.run(project("nope")).status, world.run(project("nope")).partitions) == ("failed", days)
    report = world.run(project("rows"))
    assert (report.status, report.partitions, world.ids()) == ("success", days, [1, 2, 3])
    assert world.run(project("rows")).partitions == days[1:]
    reset(project("rows"), "p", "2024-01-01", token=report.token)
    assert world.run(project("rows")).partitions == days
    assert world.ids() == [1, 2, 3]


def test_one_bad_partition_does_not_stop_the_others(world: World) -> None:
    project = world.project(partitions=DAYS, destinations=MERGE, quality=AGE | {"gate": {"max_rejected": 0}})
    world.put([{"id": day, "age": 2 - day, "at": at(1, day)} for day in (1, 2, 3)])
    report = world.run(project)
    assert (report.status, world.ids()) == ("gate_closed", [1, 2])
    report = world.run(project, decision="release")
    assert report.partitions == ("2024-01-03",)


def test_partitions_by_value(world: World) -> None:
    project = world.project(
        partitions={"by": "value", "field": "region", "values": ["eu", "us"]},
        source={"connector": "mem", "stream": "rows"},
    )
    world.put([{"id": 1, "region": "eu"}, {"id": 2, "region": "us"}, {"id": 3, "region": "xx"}])
    assert world.run(project).partitions == ("eu", "us")
    assert world.ids() == [1, 2]
    with pytest.raises(UsageError, match="partitioned by value"):
        world.run(project, window_from="a", window_to="b")
