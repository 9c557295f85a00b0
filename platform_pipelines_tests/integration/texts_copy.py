"""Sends the golden table of text through whole runs, and writes what became of each file as JSON.

``python -m platform_pipelines_tests.integration.texts_copy DSN FOLDER`` runs in a process of its own, so that it can be
given another locale and time zone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.engine.deadletters import dead_letters
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests.integration.golden_texts import TEXTS, Text
from platform_pipelines_tests.locales import adopt

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Connector


def copy(dsn: str, root: Path) -> None:
    """Run every file; what the runs said goes into ``found.json``."""
    found = [run_file(dsn, root, f"p{number}", text) for number, text in enumerate(TEXTS)]
    (root / "found.json").write_text(json.dumps(found), encoding="utf-8")


def run_file(dsn: str, root: Path, name: str, text: Text) -> dict[str, Any]:
    """Load one file into table ``name`` everywhere; what the run said."""
    folder = root / name
    folder.mkdir()
    (folder / "file").with_suffix(f".{text.format}").write_bytes(text.content)
    connectors: dict[str, Connector] = {
        "src": FilesConnector(root=str(folder), format=text.format, options=text.options),
        "pg": PostgresConnector(dsn=dsn),
        "duck": DuckDBConnector(path=root / "out.duckdb"),
        "lake": FilesConnector(root=str(root / "lake"), format="parquet"),
    }
    declared = {key: ConnectorSpec(key, each.type) for key, each in connectors.items()}
    config = {
        "name": name,
        "source": {"connector": "src", "stream": f"file.{text.format}", "mode": "full_refresh"},
        "quality": {"gate": {"max_rejected_share": 1}},
        "destinations": [{"connector": each, "table": name, "mode": "replace"} for each in ("pg", "duck", "lake")],
    }
    spec = pipeline_from_config(config, Catalog(root, root, declared), capabilities)
    catalog = Catalog(root, root, declared, {name: spec})
    project = Project(catalog, Store("store", root), root, connectors)
    report = run(project, RunRequest(name))
    counts = (report.read, report.rejected, *(each.rows for each in report.destinations.values()))
    return {
        "error": report.error,
        "counts": counts,
        "rejected": [letter["reason"] for letter in dead_letters(project, name)],
    }


if __name__ == "__main__":
    print(json.dumps(adopt()))  # noqa: T201 - read by who started this
    copy(sys.argv[1], Path(sys.argv[2]))
