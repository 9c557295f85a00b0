"""Discarded epochs, destinations that do not answer, a log that was lost, replays that were killed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import dead_letters, load, replay_dead_letters
from platform_pipelines.engine.replaying import land_replay
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project

APPEND = {"name": "out", "connector": "mem", "table": "out", "mode": "append"}
MERGE = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
REPLACE = {"name": "out", "connector": "mem", "table": "out", "mode": "replace"}
AGE = {"rules": [{"id": "age", "type": "range", "field": "age", "min": 0, "severity": "error"}]}
GATE = AGE | {"gate": {"max_rejected": 0}}
WHOLE = {"connector": "mem", "stream": "rows", "mode": "full_refresh"}


def row(number: int, age: int = 1) -> dict[str, Any]:
    return {"id": number, "age": age, "at": at(number)}


def test_a_discarded_full_refresh_leaves_the_table_as_it_was(world: World) -> None:
    project = world.project(quality=GATE, source=WHOLE, destinations=[REPLACE])
    world.put([row(1), row(2)])
    world.run(project)
    world.put([row(3, -1)])
    assert world.run(project).status == "gate_closed"
    assert world.run(project, decision="discard").status == "success"
    assert world.ids() == [1, 2]
    assert [letter["record"]["id"] for letter in dead_letters(project, "p")] == [3]
    world.put([row(4)])
    world.run(project)
    assert world.ids() == [4]


@pytest.mark.parametrize("destination", [APPEND, MERGE])
def test_an_incremental_pipeline_is_read_anew_after_its_full_refresh_was_discarded(
    world: World, destination: dict[str, Any]
) -> None:
    project = world.project(quality=GATE, destinations=[destination])
    world.put([row(1), row(2)])
    world.run(project)
    world.put([row(1), row(2), row(3, -1)])
    assert world.run(project, full_refresh=True).status == "gate_closed"
    world.run(project, decision="discard")
    assert world.ids() == [1, 2]
    world.put([row(1), row(2), row(3), row(4)])
    assert world.run(project).read == 4
    assert world.ids() == [1, 2, 3, 4]


def test_dead_letters_of_a_discarded_full_refresh_take_its_place_once_replayed(world: World) -> None:
    project = world.project(quality=GATE, source=WHOLE, destinations=[REPLACE])
    world.put([row(1), row(2)])
    world.run(project)
    world.put([row(3), row(4, -1)])
    world.run(project)
    world.run(project, decision="discard")
    assert replay_dead_letters(project, "p").status == "success"
    assert world.ids() == [3]


def test_a_batch_discarded_before_a_replay_behind_it_keeps_its_dead_letters(world: World) -> None:
    world.put([row(1), row(2, -1)])
    world.run(world.project(quality=AGE))
    gated = world.project(quality=GATE)
    world.put([row(1), row(2, -1), row(3, -1)])
    assert world.run(gated).status == "gate_closed"
    assert replay_dead_letters(gated, "p").status == "gate_closed"
    world.run(gated, decision="discard")
    assert sorted(letter["record"]["id"] for letter in dead_letters(gated, "p")) == [2, 3]
    replay_dead_letters(world.project(), "p")
    assert world.ids() == [1, 2, 3]


def test_a_replay_that_was_killed_is_finished_by_the_next(world: World) -> None:
    world.put([row(1), row(2, -1)])
    world.run(world.project(quality=AGE))
    lenient = world.project()
    context = world.context(lenient)
    assert land_replay(context, context.log(FEED))  # here it is killed
    assert replay_dead_letters(lenient, "p").status == "success"
    assert world.ids() == [1, 2]
    assert replay_dead_letters(lenient, "p").status == "nothing_new"


def _with_folder(world: World) -> Project:
    folder = {"type": "files", "root": str(world.root / "lake"), "format": "parquet"}
    return world.project(
        destinations=[APPEND, {"name": "lake", "connector": folder, "table": "t", "mode": "append"}],
    )


def test_a_destination_that_is_down_makes_no_other_fail(world: World) -> None:
    """After a full refresh the files of the old epoch would go, if all destinations said that they have the new one."""
    project = _with_folder(world)
    world.put([row(1)])
    world.run(project)
    (world.root / "lake").rename(world.root / "away")
    (world.root / "lake").write_text("not a folder")
    for _ in range(3):
        report = world.run(project, full_refresh=True)
        assert {name: found.status for name, found in report.destinations.items()} == {
            "out": "success",
            "lake": "failed",
        }
    (world.root / "lake").unlink()
    (world.root / "away").rename(world.root / "lake")
    assert world.run(project).destinations["lake"].rows == 1
    assert world.ids() == [1]


def test_another_run_on_the_feed_makes_no_load_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "0")
    project = world.project()
    world.put([row(1)])
    world.run(project)
    world.run(project, only="landing", full_refresh=True)
    world.run(project, only="validated")
    context = world.context(project)
    with context.log(FEED).lock("pt-other"):
        assert load(context, FEED, "out").rows == 1
    assert project.store.feed(FEED).has_files(1)


@pytest.mark.parametrize("destination", [APPEND, MERGE])
def test_a_lost_log_is_begun_anew_and_what_was_loaded_is_replaced(world: World, destination: dict[str, Any]) -> None:
    """The first batch of the new log must not pass for the first one of the old."""
    project = world.project(destinations=[destination])
    world.put([row(1), row(2)])
    world.run(project)
    shutil.rmtree(project.store.path)
    world.put([row(1), row(2), row(3)])
    assert world.run(project).destinations["out"].rows == 3
    assert world.ids() == [1, 2, 3]


def test_a_log_that_lacks_what_a_destination_has_is_refused(world: World) -> None:
    project = world.project()
    for count in (1, 2, 3):
        world.put([row(n + 1) for n in range(count)])
        world.run(project)
        if count == 1:
            shutil.copytree(project.store.path, world.root / "backup")
    shutil.rmtree(project.store.path)
    (world.root / "backup").rename(project.store.path)
    for count in (4, 5, 6, 7):  # a batch each would bring the log to the destination's number, and pass for loaded
        world.put([row(n + 1) for n in range(count)])
        report = world.run(project)
        assert report.status == "failed"
        assert "has loaded batch 1/3 of p, which the landing log" in str(report.error)
        assert project.store.feed(FEED).sequences(1) == [1]
    assert world.ids() == [1, 2, 3]
    world.run(project, full_refresh=True)
    assert world.ids() == [1, 2, 3, 4, 5, 6, 7]


def test_a_full_refresh_goes_above_the_epochs_that_destinations_know(world: World) -> None:
    project = world.project()
    world.put([row(1)])
    world.run(project)
    shutil.copytree(project.store.path, world.root / "backup")
    for _ in range(3):
        world.run(project, full_refresh=True)
    shutil.rmtree(project.store.path)
    (world.root / "backup").rename(project.store.path)
    assert world.run(project).status == "failed"
    world.put([row(2)])
    assert world.run(project, full_refresh=True).status == "success"
    assert world.ids() == [2]


def test_no_batch_is_loaded_before_one_that_is_not_judged(world: World) -> None:
    """A verdict that was lost is made anew by the next run; until then, what is behind it waits."""
    project = world.project(destinations=[APPEND])
    for number in (1, 2, 3):
        world.put([row(n + 1) for n in range(number)])
        world.run(project, only="landing")
    world.run(project, only="validated")
    (project.store.feed(FEED).epoch_folder(1) / "000002.verdict.json").unlink()
    world.run(project, only="out")
    assert world.ids() == [1]
    world.run(project)
    assert world.ids() == [1, 2, 3]
