"""Table folders that somebody damaged: the run says so, loads the other destinations, and the way out works."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from platform_pipelines.formats.folder_manifest import MANIFEST, read_manifest
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.unit.engine.world import World


def _destinations(root: Path, mode: str) -> list[dict[str, Any]]:
    common = {"table": "out", "mode": mode} | ({"key": ["id"]} if mode == "merge" else {})
    lake = {"type": "files", "root": str(root), "format": "parquet"}
    return [{"name": "lake", "connector": lake, **common}, {"name": "out", "connector": "mem", **common}]


def _ids(root: Path) -> list[int]:
    names = [file.name for file in read_manifest(root / "out").files]
    return sorted(row["id"] for name in names for row in pq.read_table(root / "out" / name).to_pylist())


def _lose_a_file(table: Path) -> None:
    (table / read_manifest(table).files[0].name).unlink()


def _cut_the_manifest(table: Path) -> None:
    path = table / MANIFEST
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize(
    ("damage", "says", "removed"),
    [
        (_lose_a_file, "Put it back, or load it anew: `pipelines run p --full-refresh`", False),
        (_cut_the_manifest, "is not a readable commit file", True),
    ],
)
def test_the_way_out_works(world: World, mode: str, damage: Any, says: str, removed: bool) -> None:  # noqa: FBT001
    root = world.root / "lake"
    project = world.project(destinations=_destinations(root, mode))
    world.put([{"id": 1, "at": at(1)}])
    assert world.run(project).status == "success"
    damage(root / "out")
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    report = world.run(project)
    assert report.status == "partial"
    assert says in str(report.destinations["lake"].error)
    assert world.ids() == [1, 2]
    if removed:
        assert f"remove the folder {root / 'out'}" in str(report.destinations["lake"].error)
        shutil.rmtree(root / "out")
    assert world.run(project, full_refresh=True).status == "success"
    assert _ids(root) == world.ids() == [1, 2]
