"""Soft deletes in whole runs, at each kind of table: marked, unmarked, never removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines_tests import tables
from platform_pipelines_tests.unit.engine.deleting import MERGE, detecting, rows
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine.project import Project

OUT = MERGE | {"connector": "table"}
SOURCE = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}


@dataclass
class Target:
    """A table that rows are merged into, and the world that they come from."""

    kind: str
    world: World
    dsn: str

    def project(self, **deletes: Any) -> Project:
        """A pipeline that marks keys that are gone."""
        return detecting(self.world, {"action": "soft"} | deletes, destinations=[OUT])

    def rows(self, columns: str) -> tables.Rows:
        return tables.rows_of(self.kind, self.world.root, self.dsn, columns)

    def marks(self) -> dict[int, bool]:
        """Whether a row is marked, by id."""
        return {key: marked for key, (marked,) in self.rows("id, _pipelines_deleted_at is not null").items()}


@pytest.fixture(params=tables.KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    kind = request.param
    dsn = request.getfixturevalue("postgres_database") if kind == "postgres" else ""
    world = World(tmp_path, others={"table": tables.connector(kind, tmp_path, dsn)})
    return Target(kind, world, dsn)


def test_keys_that_are_gone_are_marked_and_those_that_come_back_unmarked(target: Target) -> None:
    world, project = target.world, target.project()
    world.put(rows(1, 2, 3))
    world.run(project)
    assert target.marks() == {1: False, 2: False, 3: False}
    world.put(rows(1, 3))
    report = world.run(project)
    assert (report.error, report.destinations["out"].rows) == (None, 1)
    assert target.marks() == {1: False, 2: True, 3: False}
    first = target.rows('id, _pipelines_deleted_at, "at", v')
    assert first[2][2] == "v2", "what the row held stays"
    assert world.run(project).status == "nothing_new"
    assert target.rows('id, _pipelines_deleted_at, "at", v') == first, "the mark says when it was found gone"
    world.put(rows(1, 2, 3, second=10))
    world.run(project)
    assert target.marks() == {1: False, 2: False, 3: False}


def test_a_row_goes_and_comes_back_as_it_was_again_and_again(target: Target) -> None:
    world, project = target.world, target.project()
    for ids in ((1, 2, 3), (1, 2), (1, 2, 3), (1, 2), (1, 2, 3)):
        world.put(rows(*ids))
        assert world.run(project).error is None
        assert target.marks() == {number: number not in ids for number in (1, 2, 3)}


def test_a_mark_outlasts_new_rows_and_goes_with_a_full_refresh(target: Target) -> None:
    world, project = target.world, target.project()
    for ids in ((1, 2), (1,), (1, 3), (1, 3, 4)):
        world.put(rows(*ids))
        assert world.run(project).error is None
    assert target.marks() == {1: False, 2: True, 3: False, 4: False}
    assert world.run(project, full_refresh=True).error is None
    assert set(target.rows("id")) == {1, 3, 4}


def test_a_table_from_before_deletes_were_declared_gets_the_mark(target: Target) -> None:
    world = target.world
    world.put(rows(1, 2))
    assert world.run(world.project(source=SOURCE, destinations=[OUT])).error is None
    world.put(rows(1))
    assert world.run(target.project()).error is None
    assert target.marks() == {1: False, 2: True}


@pytest.mark.parametrize("action", ["soft", "hard"])
def test_a_field_of_the_source_marks_rows(target: Target, action: str) -> None:
    """Softly, a marked row is merged like any other; the field is the mark."""
    world = target.world
    deletes = {"deletes": {"field": "deleted_on", "action": action}}
    project = world.project(source=SOURCE | deletes, destinations=[OUT])
    kept = {1: (None, "a")}
    for second, mark, expected in ((1, None, "b"), (2, "2024-01-01", "c"), (3, "2024-01-01", "d"), (4, None, "e")):
        world.put(
            [
                {"id": 1, "at": at(0), "deleted_on": None, "v": "a"},
                {"id": 2, "at": at(second), "deleted_on": mark, "v": expected},
            ]
        )
        assert world.run(project).error is None
        gone = action == "hard" and mark is not None
        assert target.rows("id, deleted_on, v") == (kept if gone else kept | {2: (mark, expected)})
    assert world.run(project).status == "nothing_new"


def test_an_older_version_from_another_partition_loses_against_a_marked_row(target: Target) -> None:
    """Softly deleted by a field, or by its key: neither lets the older version in."""
    world = target.world
    partitions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    project = detecting(world, {"action": "soft", "max_share": 1}, partitions=partitions, destinations=[OUT])
    older, newer = ({"id": 1, "at": at(second), "region": region} for second, region in ((1, "us"), (5, "eu")))
    other = {"id": 2, "at": at(1), "region": "us"}
    world.put([older, other])
    world.run(project, partitions=("us",), only="landing")
    world.put([newer, other])
    world.run(project, partitions=("eu",))
    world.put([other])
    assert world.run(project, partitions=("eu",)).error is None
    for stage in ("validated", "out"):
        world.run(project, partitions=("us",), only=stage)
    assert target.rows("id, region, _pipelines_deleted_at is not null") == {1: ("eu", True), 2: ("us", False)}
