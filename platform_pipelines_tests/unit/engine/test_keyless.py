"""A batch that no destination can take for want of keys is judged again once the pipeline was mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.engine.world import World

MERGE: dict[str, Any] = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
RULE: dict[str, Any] = {"rules": [{"type": "required", "fields": ["id"]}]}
TAKES_ID_AWAY: list[dict[str, Any]] = [{"map": {"at": "at"}}]


@pytest.mark.parametrize(
    ("before", "mended", "ids", "rejected"),
    [
        ({}, {"quality": RULE}, [2, 3], 1),
        ({}, {"transforms": [{"filter": "id is not null"}]}, [2, 3], 0),
        ({"transforms": TAKES_ID_AWAY}, {"transforms": [{"filter": "id is not null"}]}, [2, 3], 0),
    ],
)
def test_a_mended_pipeline_loads_what_was_landed(
    world: World, before: dict[str, Any], mended: dict[str, Any], ids: list[int], rejected: int
) -> None:
    world.put([{"id": None, "at": at(1)}, {"id": 2, "at": at(2)}])
    broken = world.project(destinations=[MERGE], **before)
    for _ in range(2):
        report = world.run(broken)
        assert (report.status, report.exit_code) == ("failed", 1)
        assert "key id" in str(report.error) or "Key id" in str(report.error)
    world.put([{"id": 2, "at": at(2)}, {"id": 3, "at": at(3)}])  # the source has the first row no more
    report = world.run(world.project(destinations=[MERGE], **mended))
    assert (report.status, report.rejected) == ("success", rejected)
    assert world.ids() == ids


def test_rows_that_are_rejected_need_no_key(world: World) -> None:
    world.put([{"id": None, "at": at(1)}, {"id": 2, "at": at(2)}])
    report = world.run(world.project(destinations=[MERGE], quality=RULE))
    assert (report.status, report.rejected, world.ids()) == ("success", 1, [2])


@pytest.mark.parametrize("kept", [{}, {"v": "v"}])
def test_a_cursor_that_a_map_computes_does_not_say_what_is_newer(world: World, kept: dict[str, str]) -> None:
    """The source's own does, whatever becomes of the column: as text, 9 would be newer than 10."""
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "u"}}
    mapped = [{"map": {"id": "id", "w": "v", "u": {"convert": "string"}, **kept}}]
    project = world.project(source=source, destinations=[MERGE], transforms=mapped)
    for rows in ([(1, 1, 9)], [(1, 2, 10)], [(1, 4, 12), (1, 3, 11)]):
        world.put([{"id": key, "v": value, "u": cursor} for key, value, cursor in rows])
        assert world.run(project).status == "success"
    (row,) = world.rows()
    assert (row["w"], row["u"]) == (4, "12")
