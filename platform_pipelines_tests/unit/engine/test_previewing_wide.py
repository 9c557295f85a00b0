"""A preview of rows of thousands of columns: they get the room that a run gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from platform_pipelines.engine import preview

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.engine.world import World

_COLUMNS = 8000


def test_thousands_of_columns_are_shown(world: World) -> None:
    source = {"connector": "mem", "stream": "rows", "mode": "full_refresh"}
    rules = {"rules": [{"id": "there", "type": "required", "fields": ["c0"], "severity": "error"}]}
    project = world.project(source=source, quality=rules)
    world.put(pa.table({f"c{n}": pa.array(["a", "b"]) for n in range(_COLUMNS)}))
    report = preview(project, "p")
    assert [len(row) for row in report.rows] == [_COLUMNS, _COLUMNS]
