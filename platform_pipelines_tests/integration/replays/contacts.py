"""A pipeline from a file into an API and into DuckDB, whose rows are rejected or refused, and come back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from platform_pipelines.engine import RunRequest, explain, open_project, replay_dead_letters, run

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine import Project, RunReport
    from platform_pipelines_tests.api_sink import Sink

CONNECTORS = """
drops: {type: files, root: in, format: jsonl}
crm:
  type: http
  base_url: ${env://API_URL}
  retries: {max: 1, delay: 0.01, max_delay: 0.02}
  tables:
    one: {path: "/contacts"}
    upsert: {path: "/contacts/{id}", body: {id: "{id}", v: "{v}"}}
    forgetful: {path: "/contacts/{id}", body: {id: "{id}", v: "{v}"}, idempotency: none}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
CURSOR = "cursor: {field: at}"
HARD = "deletes: {field: gone, action: hard}"
DIFFERENCE = "deletes: {detect: key_difference, action: hard, max_share: 1}"
RULES = "quality: {rules: [{id: fit, type: accepted, field: v, values: VALUES, severity: error}]}"


class Site:
    """A pipeline from a file into an API and into DuckDB, both by key."""

    def __init__(self, root: Path, sink: Sink) -> None:
        self.root, self.sink = root, sink
        self.mode = "mode: merge, key: [id]"
        self.source, self.values, self.transforms, self.partitions = [CURSOR], "", "", ""
        self.api_first, self.table, self.warehouse = True, "", True
        for folder in ("defs", "in"):
            (root / folder).mkdir()
        (root / "workspace.yaml").write_text("")
        (root / "defs" / "connectors.yaml").write_text(CONNECTORS)

    def project(self) -> Project:
        rules = RULES.replace("VALUES", self.values) if self.values else ""
        table = self.table or ("upsert" if "key" in self.mode else "one")
        targets = [
            f"  - {{connector: crm, table: {table}, {self.mode}}}\n",
            f"  - {{connector: warehouse, table: contacts, {self.mode}}}\n",
        ]
        targets = (targets if self.api_first else targets[::-1]) if self.warehouse else targets[:1]
        (self.root / "defs" / "contacts.yaml").write_text(
            "name: contacts\n"
            f"source: {{connector: drops, stream: '*.jsonl', mode: incremental, {', '.join(self.source)}}}\n"
            f"{self.transforms}\n{self.partitions}\n{rules}\ndestinations:\n" + "".join(targets)
        )
        return open_project(self.root / "defs", self.root / "store")

    def put(self, *rows: dict[str, Any], name: str = "rows") -> None:
        """What the source holds now."""
        (self.root / "in" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, *rows: dict[str, Any]) -> RunReport:
        self.put(*rows)
        return run(self.project(), RunRequest("contacts"))

    def replay(self) -> RunReport:
        report = replay_dead_letters(self.project(), "contacts")
        assert report.status == "success", report.error
        return report

    def refuse(self, *values: str) -> None:
        self.sink.refuses = lambda record: "no" if record["v"] in values else None

    def sent(self) -> dict[str, str]:
        return {str(key): record["v"] for key, record in self.sink.stored.items()}

    def loaded(self) -> dict[str, str]:
        with duckdb.connect(self.root / "warehouse.duckdb") as connection:
            return {str(key): v for key, v in connection.execute("select id, v from contacts").fetchall()}

    def fate(self, destination: str, key: int = 1) -> tuple[str, str]:
        found = explain(self.project(), "contacts", f"id={key}").destinations[destination]
        return found.status, " ".join([found.detail, *(why for _, why in found.overwritten)])


def row(v: str, at: int, key: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "at": at, "v": v, "gone": None} | more
