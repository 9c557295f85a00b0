"""Why is this row not here? It was read, and its batch has no verdict yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import explain
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines.engine.fate import Fate
    from platform_pipelines.engine.project import Project
    from platform_pipelines_tests.unit.engine.world import World

MERGE = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
SMALL = {
    "rules": [{"id": "small", "type": "range", "field": "v", "max": 15, "severity": "error"}],
    "gate": {"max_rejected": 0},
}
RELEASE = "let the batch through with `pipelines run p --release`, or drop it with `--discard`."


def gated(world: World, **changes: Any) -> Project:
    return world.project(**({"destinations": [MERGE], "quality": SMALL} | changes))


def out(project: Project, key: str) -> Fate:
    return explain(project, "p", key).destinations["out"]


def row(number: int, value: int, second: int | None = None) -> dict[str, Any]:
    return {"id": number, "at": at(second or number), "v": value}


def test_a_row_of_a_held_batch_was_read_and_is_pending(world: World) -> None:
    project = gated(world)
    world.put([row(1, 10), row(2, 20)])
    assert world.run(project).status == "gate_closed"
    fate = out(project, "1")
    assert (fate.status, fate.to_json()["batch"]) == ("pending", "1/1")
    assert fate.detail.startswith("Read with batch 1/1, held at the gate: 1 of 2 rows were rejected")
    assert fate.detail.endswith(RELEASE)
    world.run(project, decision="release")
    assert out(project, "1").status == "loaded"


def test_a_row_behind_a_held_batch(world: World) -> None:
    project = gated(world)
    world.put([row(1, 20)])
    world.run(project)
    world.put([row(1, 20), row(2, 10)])
    world.run(project)
    fate = out(project, "2")
    assert fate.status == "pending"
    assert fate.detail.startswith("Read with batch 1/2, waiting behind batch 1/1, which the gate holds. ")
    assert fate.detail.endswith(RELEASE)


def test_a_row_that_is_not_judged_yet_needs_no_person(world: World) -> None:
    project = gated(world)
    world.put([row(1, 10)])
    world.run(project, only="landing")
    assert out(project, "1").detail == "Read with batch 1/1, not judged yet: the next run does."


def test_an_older_version_is_loaded_and_a_newer_one_held(world: World) -> None:
    project = gated(world)
    world.put([row(1, 10)])
    world.run(project)
    world.put([row(1, 20, second=5)])
    world.run(project)
    fate = out(project, "1")
    assert fate.status == "loaded"
    assert fate.detail.startswith("Loaded with batch 1/1, ")
    assert " Read with batch 1/2, held at the gate: " in fate.detail


def test_a_partition_is_named_in_what_to_do(world: World) -> None:
    days = {"by": "day", "field": "at", "start": "2024-01-01", "end": "2024-01-02"}
    project = gated(world, partitions=days)
    world.put([row(1, 20)])
    world.run(project, partitions=("2024-01-01",))
    assert "`pipelines run p --partition 2024-01-01 --release`" in out(project, "1").detail


def test_a_batch_that_was_held_until_its_epoch_was_replaced_waits_no_more(world: World) -> None:
    project = gated(world)
    world.put([row(1, 20)])
    world.run(project)
    world.put([row(2, 20)])  # held again, so that the files of the first epoch stay
    assert world.run(project, full_refresh=True).status == "gate_closed"
    found = explain(project, "p", "1")
    assert [version.outcome for version in found.versions] == ["replaced"]
    assert found.versions[0].detail.startswith("never judged; epoch 2 (")
    assert "--release" not in found.destinations["out"].detail
