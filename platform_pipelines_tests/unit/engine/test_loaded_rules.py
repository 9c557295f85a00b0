"""Rules about what a destination holds, over several batches, epochs and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import dead_letters, preview
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines_tests.unit.engine.world import World

ONCE = {"id": "once", "type": "unique", "fields": ["email"], "scope": "out"}
PARENT = {"id": "parent", "type": "foreign_key", "field": "parent", "reference": {"destination": "out", "field": "id"}}


def project_of(world: World, *rules: dict[str, Any], mode: str = "merge", **changes: Any) -> Project:
    key = ["id"] if mode == "merge" else []
    target = {"name": "out", "connector": "mem", "table": "out", "mode": mode, "key": key}
    return world.project(quality={"rules": list(rules)}, destinations=[target], **changes)


def row(number: int, email: str | None, second: float, **more: Any) -> dict[str, Any]:
    return {"id": number, "email": email, "at": at(second), **more}


def rejected(project: Project) -> list[tuple[Any, str]]:
    return sorted((letter["record"]["id"], letter["rule"]) for letter in dead_letters(project, "p"))


def test_a_value_that_is_loaded_is_taken(world: World) -> None:
    project = project_of(world, ONCE)
    world.put([row(1, "a", 1), row(2, "b", 2)])
    world.run(project)
    world.put([row(1, "a", 1), row(2, "b", 2), row(3, "a", 3), row(4, "c", 4), row(5, None, 5)])
    world.run(project)
    assert world.ids() == [1, 2, 4, 5]
    assert rejected(project) == [(3, "once")]


def test_ones_own_earlier_version_is_no_double_and_what_it_gives_up_is_free(world: World) -> None:
    project = project_of(world, ONCE)
    world.put([row(1, "a", 1), row(2, "b", 2)])
    world.run(project)
    world.put([row(1, "z", 3), row(2, "b", 4), row(3, "a", 5)])
    world.run(project)
    assert rejected(project) == []
    assert {each["id"]: each["email"] for each in world.rows()} == {1: "z", 2: "b", 3: "a"}


@pytest.mark.parametrize("fields", [["id"], ["id", "email"]])
def test_a_rule_may_be_about_the_key(world: World, fields: list[str]) -> None:
    project = project_of(world, {**ONCE, "fields": fields})
    world.put([row(1, "a", 1), row(2, "a", 2)])
    world.run(project)
    world.put([row(1, "a", 3), row(2, "b", 4), row(2, "c", 5)])
    assert world.run(project).status == "success"
    assert (rejected(project), world.ids()) == ([], [1, 2])


def test_appended_rows_have_no_versions(world: World) -> None:
    project = project_of(world, ONCE, mode="append")
    world.put([row(1, "a", 1)])
    world.run(project)
    world.put([row(1, "a", 2)])
    world.run(project)
    assert rejected(project) == [(1, "once")]


def test_a_full_refresh_meets_nothing_of_what_it_replaces(world: World) -> None:
    project = project_of(world, ONCE, mode="append")
    world.put([row(1, "a", 1)])
    world.run(project)
    world.put([row(2, "a", 2)])
    world.run(project, full_refresh=True)
    assert (rejected(project), world.ids()) == ([], [2])


def test_batches_that_wait_to_be_loaded_count(world: World) -> None:
    project = project_of(world, ONCE)
    world.put([row(1, "a", 1)])
    world.run(project, only="landing")
    world.put([row(2, "a", 2)])
    world.run(project, only="landing")
    world.run(project)
    assert (rejected(project), world.ids()) == ([(2, "once")], [1])


def test_partitions_that_one_run_judges_see_each_other(world: World) -> None:
    regions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    project = project_of(world, ONCE, partitions=regions)
    world.put([row(1, "a", 1, region="eu"), row(2, "a", 2, region="us"), row(3, "b", 3, region="us")])
    world.run(project)
    assert (rejected(project), world.ids()) == ([(2, "once")], [1, 3])


def test_a_reference_may_be_loaded_or_in_the_batch(world: World) -> None:
    project = project_of(world, PARENT)
    world.put([row(1, None, 1, parent=None), row(2, None, 2, parent=1), row(3, None, 3, parent=9)])
    world.run(project)
    world.put([row(4, None, 4, parent=2), row(5, None, 5, parent=7)])
    world.run(project)
    assert (rejected(project), world.ids()) == ([(3, "parent"), (5, "parent")], [1, 2, 4])


def test_a_preview_looks_too(world: World) -> None:
    project = project_of(world, ONCE)
    world.put([row(1, "a", 1)])
    world.run(project)
    world.put([row(2, "a", 2)])
    assert [each["record"]["id"] for each in preview(project, "p", 10).rejected] == [2]


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_column_that_never_had_a_value_is_loaded(world: World, mode: str) -> None:
    project = project_of(world, mode=mode)
    world.put([row(1, None, 1), row(2, None, 2)])
    world.run(project)
    world.put([row(3, "a", 3)])
    world.run(project)
    assert [(each["id"], each["email"]) for each in world.rows()] == [(1, None), (2, None), (3, "a")]
