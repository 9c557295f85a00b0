from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine.context import Context
from platform_pipelines.engine.project import Project
from platform_pipelines.model import Feed
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine import RunReport


def at(second: float, day: int = 1) -> dt.datetime:
    """An instant on a day of January 2024, that many seconds after midnight UTC."""
    return dt.datetime(2024, 1, day, tzinfo=dt.UTC) + dt.timedelta(seconds=second)


@dataclass
class World:
    """A project whose source is a table in memory, as are its destinations unless there are ``others``."""

    root: Path
    space: str = field(default_factory=lambda: uuid.uuid4().hex)
    others: dict[str, Connector] = field(default_factory=dict)

    def put(self, rows: list[dict[str, Any]] | pa.Table, stream: str = "rows") -> None:
        if isinstance(rows, list):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            arrays = {
                name: pa.array(
                    [row.get(name) for row in rows],
                    type=pa.timestamp("us", "UTC") if name == "at" else None,
                )
                for name in columns
            }
            rows = pa.table(arrays)
        MemoryConnector.put(stream, rows, self.space)

    def project(self, **changes: Any) -> Project:
        config: dict[str, Any] = {
            "name": "p",
            "source": {
                "connector": "mem",
                "stream": "rows",
                "mode": "incremental",
                "cursor": {"field": "at"},
            },
            "destinations": [{"name": "out", "connector": "mem", "table": "out", "mode": "append"}],
        }
        config |= changes
        connectors = {"mem": ConnectorSpec("mem", "memory", {"type": "memory", "space": self.space}, None, None)}
        connectors |= {name: ConnectorSpec(name, each.type, {}, None, None) for name, each in self.others.items()}
        catalog = Catalog(self.root, self.root, connectors)
        spec = pipeline_from_config(config, catalog, capabilities)
        catalog = Catalog(self.root, self.root, connectors, {spec.name: spec})
        return Project(catalog, Store("store", self.root), self.root, dict(self.others))

    def context(self, project: Project | None = None, **options: Any) -> Context:
        project = project or self.project()
        return Context(project=project, pipeline=project.pipeline("p"), **options)

    def run(self, project: Project, **options: Any) -> RunReport:
        from platform_pipelines.engine import RunRequest, run

        return run(project, RunRequest("p", **options))

    def rows(self, table: str = "out") -> list[dict[str, Any]]:
        return MemoryConnector(space=self.space).table(table).to_pylist()

    def ids(self, table: str = "out") -> list[Any]:
        return sorted(row["id"] for row in self.rows(table))


FEED = Feed("p")
