"""What destinations count is held against what they were given, and what was read against what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import load
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.model import Load, Receipt

MERGE = [{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]
AGE = {"rules": [{"id": "age", "type": "range", "field": "age", "min": 0, "severity": "error"}]}


class Miscounting(MemoryConnector):
    """A destination whose figures are wrong by one."""

    arrived: int = 0
    written: int = 0

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        found = super().load(load, batches)
        return replace(found, staged=found.staged + self.arrived, loaded=found.loaded + self.written)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"arrived": -1}, "1 arrived, 2 loaded"), ({"written": -1}, "2 arrived, 1 loaded")]
)
def test_a_destination_that_counts_other_rows_fails(world: World, wrong: dict[str, int], said: str) -> None:
    project = replace(world.project(), connectors={"mem": Miscounting(space=world.space, **wrong)})
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    report = world.run(project)
    assert report.status == "failed"
    assert f"Destination `out` was given 2 rows of p and counted {said}" in str(report.destinations["out"].error)


def test_every_row_that_was_read_is_counted_once(world: World) -> None:
    """Two versions of one key, a dead letter, a filtered row, a row met twice."""
    project = world.project(
        destinations=MERGE, quality=AGE | {"gate": {"max_rejected": 9}}, transforms=[{"filter": "id < 9"}]
    )
    first: list[dict[str, Any]] = [{"id": 1, "age": 1, "at": at(1)}]
    world.put(first)
    world.run(project)
    rows = [
        *first,
        {"id": 1, "age": 2, "at": at(2)},
        {"id": 1, "age": 3, "at": at(3)},
        {"id": 2, "age": -1, "at": at(4)},
    ]
    world.put([*rows, {"id": 9, "age": 1, "at": at(5)}])
    world.run(project, only="landing")
    world.run(project, only="validated")
    found = load(world.context(project), FEED, "out")
    assert found.accounted
    assert (found.read, found.rows, found.deduplicated, found.rejected, found.filtered) == (5, 1, 1, 1, 1)
    assert found.landed_twice == 1
