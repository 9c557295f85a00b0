from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.engine import retention
from platform_pipelines.engine.context import utc_now
from platform_pipelines.errors import SpecError
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project


def three_batches(world: World, project: Project) -> None:
    for number in range(3):
        world.put([{"id": number, "at": at(number)}])
        world.run(project)


def present(project: Project) -> list[bool]:
    log = project.store.feed(FEED)
    folder = log.epoch_folder(1)
    return [all((folder / f.path).exists() for f in log.manifest(1, n).files) for n in log.sequences(1)]


def test_everything_is_kept_unless_a_retention_is_set(world: World) -> None:
    project = world.project()
    three_batches(world, project)
    assert present(project) == [True, True, True]


def test_old_batches_go_once_every_destination_has_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    project = world.project()
    three_batches(world, project)
    monkeypatch.setenv("PIPELINES_RETENTION", "1d")
    assert retention.prune(world.context(project), FEED) == 0, "all are younger than a day"
    monkeypatch.setattr(retention, "utc_now", lambda: utc_now() + dt.timedelta(days=2))
    assert retention.prune(world.context(project), FEED) == 2
    assert present(project) == [False, False, True], "the last batch always stays"
    assert retention.prune(world.context(project), FEED) == 0
    world.put([{"id": 9, "at": at(9)}])
    assert world.run(project).status == "success"
    assert world.ids() == [0, 1, 2, 9]


def test_nothing_goes_while_a_destination_is_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "1h")
    monkeypatch.setattr(retention, "utc_now", lambda: utc_now() + dt.timedelta(days=2))
    both = [{"name": name, "connector": "mem", "table": name, "mode": "append"} for name in ("out", "late")]
    project = world.project(destinations=both)
    for number in range(2):
        world.put([{"id": number, "at": at(number)}])
        world.run(project, only="landing")
        world.run(project, only="validated")
        world.run(project, only="out")
    assert present(project) == [True, True]
    world.run(project)
    assert world.ids("late") == [0, 1]
    assert present(project) == [False, True]


def test_a_destination_added_after_the_batches_went_is_told_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.project()
    three_batches(world, project)
    monkeypatch.setenv("PIPELINES_RETENTION", "0h")
    retention.prune(world.context(project), FEED)
    both = [{"name": name, "connector": "mem", "table": name, "mode": "append"} for name in ("out", "late")]
    report = world.run(world.project(destinations=both))
    assert report.status == "partial"
    error = str(report.destinations["late"].error)
    assert error.endswith("was removed by retention. Read the source anew with `pipelines run p --full-refresh`.")
    world.put([{"id": number, "at": at(number)} for number in range(3)])
    assert world.run(world.project(destinations=both), full_refresh=True).status == "success"
    assert world.ids("late") == world.ids("out") == [0, 1, 2]


def test_a_setting_that_is_no_duration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "a month")
    with pytest.raises(SpecError, match=r"PIPELINES_RETENTION='a month' is not a duration"):
        retention.retention()
    monkeypatch.setenv("PIPELINES_RETENTION", " 2w ")
    assert retention.retention() == dt.timedelta(weeks=2)
