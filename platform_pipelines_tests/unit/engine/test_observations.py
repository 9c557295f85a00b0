"""What batches were like is remembered in the landing log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import recent_dead_letters, replay_dead_letters
from platform_pipelines.store import history
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines_tests.unit.engine.world import World

USUAL = {"id": "usual", "type": "anomaly", "metric": "rows", "min_history": 3}
THERE = {"id": "there", "type": "required", "fields": ["amount"]}


def batch(world: World, number: int, rows: int, amount: int | None = 1) -> None:
    world.put([{"id": number * 100 + n, "amount": amount, "region": "eu", "at": at(number)} for n in range(rows)])


def usual(project: Project) -> list[int]:
    entries = [entry for token in project.store.runs.tokens("p") for entry in project.store.runs.entries("p", token)]
    found = sorted((entry.at, entry.body["rules"]["usual"]) for entry in entries if entry.stage == "validated")
    return [failed for _, failed in found]


def test_a_batch_unlike_those_before_warns_and_is_loaded(world: World) -> None:
    project = world.project(quality={"rules": [USUAL]})
    for number, rows in enumerate([3, 3, 3, 3, 30, 3], start=1):
        batch(world, number, rows)
        assert world.run(project).status == "success"
    assert usual(project) == [0, 0, 0, 0, 1, 0]
    assert len(world.ids()) == 45


def test_a_held_batch_is_no_observation_until_it_is_released(world: World) -> None:
    project = world.project(quality={"rules": [USUAL, THERE], "gate": {"max_rejected": 0}})
    batch(world, 1, 3, None)
    world.run(project)
    world.run(project)
    log = project.store.history("p")
    assert list(log.latest("all")) == []
    world.run(project, decision="release")
    assert [entry["figures"] for entry in log.latest("all")] == [{"rows": 3.0}]


@pytest.mark.parametrize(("by", "groups"), [("value", ["p-eu", "p-us"]), (None, ["all"])])
def test_values_of_a_partition_have_a_history_each(world: World, by: str | None, groups: list[str]) -> None:
    cut: dict[str, Any] = {"partitions": {"by": by, "field": "region", "values": ["eu", "us"]}} if by else {}
    project = world.project(quality={"rules": [USUAL]}, **cut)
    world.put([{"id": n, "region": region, "at": at(n)} for n, region in enumerate(["eu", "us"])])
    world.run(project)
    assert sorted(path.name for path in (project.store.path / "p" / "history").iterdir()) == groups


def test_dead_letters_of_the_window_are_counted_and_replays_are_not(world: World) -> None:
    project = world.project(quality={"rules": [THERE], "alert": {"max_dead_letters": 1}})
    batch(world, 1, 3, None)
    world.run(project)
    assert recent_dead_letters(project, "p") == 3
    replay_dead_letters(project, "p")
    assert recent_dead_letters(project, "p") == 3
    short = world.project(quality={"rules": [THERE], "alert": {"max_dead_letters": 1, "window": "1ms"}})
    assert recent_dead_letters(short, "p") == 0


def test_old_entries_go_and_broken_ones_are_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 5)
    monkeypatch.setattr(history, "_SLACK", 2)
    log = world.project().store.history("p")
    for number in range(12):
        log.add("all", {"n": number})
    assert [entry["n"] for entry in log.latest("all")][:5] == [11, 10, 9, 8, 7]
    assert len(list(log.latest("all"))) <= 7
    newest = max((world.root / "store" / "p" / "history" / "all").iterdir())
    newest.write_text("{", encoding="utf-8")
    assert next(log.latest("all")) == {"n": 10}


def test_a_profile_is_made_of_the_rows_to_load(world: World) -> None:
    project = world.project(quality={"rules": [THERE], "profile": True})
    rows = [{"id": n, "amount": None if n == 9 else n, "name": "ab"[n % 2], "at": at(n)} for n in range(10)]
    world.put(rows)
    report = world.run(project)
    entries = project.store.runs.entries("p", report.token)
    (entry,) = (entry for entry in entries if entry.stage == "validated")
    columns = {column["name"]: column for column in entry.body["profile"]}
    assert list(columns) == ["id", "amount", "name", "at"]
    amount, name = columns["amount"], columns["name"]
    assert (amount["nulls"], amount["distinct"], amount["min"], amount["max"]) == (0, 9, "0", "8")
    assert (sum(amount["bars"]), len(amount["bars"])) == (9, 20)
    assert (name["distinct"], name["bars"]) == (2, [5, 4])
