"""Batches of which no record can be read: an earlier batch says the columns, and nothing is stuck behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import dead_letters, replay_dead_letters

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines_tests.unit.engine.world import World

_EVERYWHERE = ("db", "lake", "mem")


def _project(world: World) -> Project:
    folder = world.root / "in"
    folder.mkdir()
    files = {"type": "files", "root": str(folder), "format": "csv", "options": {"types": {"id": "bigint", "c": "int"}}}
    database = {"type": "duckdb", "path": str(world.root / "out.duckdb")}
    lake = {"type": "files", "root": str(world.root / "lake"), "format": "jsonl"}
    merged = {"table": "t", "mode": "merge", "key": ["id"]}
    return world.project(
        source={"connector": files, "stream": "o-*.csv", "mode": "incremental", "cursor": {"field": "id"}},
        destinations=[
            {"name": "db", "connector": database, **merged},
            {"name": "lake", "connector": lake, **merged},
            {"name": "mem", "connector": "mem", "table": "out", "mode": "append"},
        ],
    )


def _drop(world: World, name: str, rows: str) -> None:
    (world.root / "in" / name).write_text(f"id,c\n{rows}")


def _loaded(report: Any) -> dict[str, int]:
    return {name: outcome.rows for name, outcome in report.destinations.items()}


def test_a_replay_that_mends_nothing_succeeds_and_what_comes_next_is_loaded(world: World) -> None:
    project = _project(world)
    _drop(world, "o-1.csv", "1,3\n2,x\n")
    first = world.run(project)
    assert (first.status, first.rejected) == ("success", 1), first.error
    for _ in range(2):
        again = replay_dead_letters(project, "p")
        assert (again.status, again.rejected, again.error) == ("success", 1, None)
        assert _loaded(again) == dict.fromkeys(_EVERYWHERE, 0)
        assert world.run(project).status == "nothing_new"
    assert len(dead_letters(project, "p")) == 1
    _drop(world, "o-2.csv", "3,4\n")
    assert _loaded(world.run(project)) == dict.fromkeys(_EVERYWHERE, 1)
    assert world.ids() == [1, 3]
