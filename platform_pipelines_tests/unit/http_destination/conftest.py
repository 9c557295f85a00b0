from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines_tests.api_sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.model import Receipt

QUICK = {"max": 3, "total": "20s", "delay": 0.01, "max_delay": 0.02}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


class Writer:
    """Loads tables into a sink, batch after batch."""

    def __init__(self, sink: Sink, folder: Path) -> None:
        self.sink = sink
        self.folder = folder
        self.sequence = 0

    def connector(self, top: dict[str, Any] | None = None, **table: Any) -> HttpConnector:
        """A connector whose table ``t`` is so declared."""
        keys = {"type": "http", "base_url": self.sink.api.url, "retries": QUICK, "state": str(self.folder / "state")}
        return HttpConnector.model_validate({**keys, "tables": {"t": {"path": "/contacts", **table}}, **(top or {})})

    def load(self, connector: HttpConnector, rows: pa.Table, *, again: bool = False, **order: Any) -> Receipt:
        """Load the next batch, or the last one again."""
        self.sequence += 0 if again else 1
        number = self.sequence
        found = Load(
            **{
                "feed": Feed("p"),
                "table": "t",
                "mode": "append",
                "schema": rows.schema,
                "offset": Offset(1, number),
                "previous": Offset(1, number - 1) if number > 1 else None,
                "rows": rows.num_rows,
                "token": "run",
                "batch": f"1/{number}/token",
                "key": ("id",),
                **order,
            }
        )
        return connector.load(found, rows.to_reader())


@pytest.fixture
def writer(sink: Sink, tmp_path: Path) -> Writer:
    return Writer(sink, tmp_path)
