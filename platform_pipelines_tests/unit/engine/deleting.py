from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project

MERGE = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}


def source(**deletes: Any) -> dict[str, Any]:
    return {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at"},
        "deletes": {"detect": "key_difference", "action": "hard", "max_share": 0.5} | deletes,
    }


def detecting(
    world: World, deletes: dict[str, Any] | None = None, cursor: dict[str, Any] | None = None, **changes: Any
) -> Project:
    read = source(**(deletes or {})) | ({"cursor": cursor} if cursor else {})
    return world.project(**{"source": read, "destinations": [MERGE]} | changes)


def rows(*ids: int, second: float = 0) -> list[dict[str, Any]]:
    return [{"id": i, "at": at(second + i), "v": f"v{i}"} for i in ids]
