from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.engine import loading
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    import pytest


def test_batches_that_another_run_loads_after_our_look_are_not_loaded_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.project()
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    world.run(project, only="landing")
    world.run(project, only="validated")
    prepare, looked = loading.incoming, list[str]()

    def overtaken(*arguments: object) -> object:
        if not looked:
            looked.append("once")
            assert world.run(project, only="out").destinations["out"].rows == 2
        return prepare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "incoming", overtaken)
    report = world.run(project, only="out")
    assert (report.status, report.destinations["out"].rows) == ("nothing_new", 0)
    assert world.ids() == [1, 2]
