from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import reference
from platform_pipelines.engine.reference import references
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.spec import ConnectorSpec

if TYPE_CHECKING:
    from platform_pipelines.model import Stream
    from platform_pipelines_tests.unit.engine.world import World

KNOWN: dict[str, Any] = {
    "source": {"connector": "mem", "stream": "rows"},
    "quality": {
        "rules": [
            {
                "id": "known",
                "type": "foreign_key",
                "field": "code",
                "reference": {"connector": "mem", "table": "codes", "field": "code"},
            }
        ]
    },
}


def test_a_foreign_key_looks_the_values_up(world: World) -> None:
    MemoryConnector.put("rows", pa.table({"id": [1, 2, 3], "code": ["a", "x", None]}), world.space)
    MemoryConnector.put("codes", pa.table({"code": ["a", "b"], "more": [1, 2]}), world.space)
    report = world.run(world.project(**KNOWN))
    assert (report.rejected, world.ids()) == (1, [1, 3])


def test_a_table_is_read_once_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    MemoryConnector.put("rows", pa.table({"id": [1, 2], "code": ["a", "a"], "region": ["eu", "us"]}), world.space)
    MemoryConnector.put("codes", pa.table({"code": ["a"]}), world.space)
    read, seen = MemoryConnector.read, list[str]()

    def note(self: MemoryConnector, stream: Stream, window: object, resume: object) -> object:
        seen.append(stream.name)
        return read(self, stream, window, resume)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryConnector, "read", note)
    by_region = {"partitions": {"by": "value", "field": "region", "values": ["eu", "us"]}}
    assert world.run(world.project(**KNOWN, **by_region)).status == "success"
    assert seen.count("codes") == 1
    monkeypatch.setattr(reference, "REMEMBERED_BYTES", 0)
    assert world.run(world.project(**KNOWN, **by_region)).status == "success"
    assert seen.count("codes") == 3, "a large table is not held in memory"


def test_a_missing_column_or_table_is_named(world: World) -> None:
    MemoryConnector.put("rows", pa.table({"id": [1], "code": ["a"]}), world.space)
    MemoryConnector.put("codes", pa.table({"kode": ["a"]}), world.space)
    report = world.run(world.project(**KNOWN))
    assert "has no column code. Columns: kode." in str(report.error)
    lookup = references(world.context(world.project(**KNOWN)))
    with pytest.raises(InvalidData, match="nowhere"):
        lookup("mem", "nowhere", ())


def test_a_destination_cannot_be_referred_to(world: World) -> None:
    project = world.project()
    connectors = dict(project.catalog.connectors) | {
        "console": ConnectorSpec("console", "logger", {"type": "logger"}, None, None)
    }
    object.__setattr__(project.catalog, "connectors", connectors)
    with pytest.raises(SpecError, match="`console` cannot be read: it is a destination only"):
        references(world.context(project))("console", "x", ())
