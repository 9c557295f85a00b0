from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.testing.contract import DestinationContract, SourceContract

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class TestMemorySource(SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        space = str(tmp_path)
        MemoryConnector.put("people", table, space)
        return MemoryConnector(space=space), "people"


class TestMemoryDestination(DestinationContract):
    def make_destination(self, tmp_path: Path) -> Any:
        return MemoryConnector(space=f"{tmp_path}-{uuid.uuid4()}")

    def rows(self, destination: Any, table: str) -> list[dict[str, Any]]:
        return destination.table(table).to_pylist()
