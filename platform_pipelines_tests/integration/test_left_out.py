"""Rows left out of landed files, at every kind of destination: the same rows, in the order of the source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from platform_pipelines import duck
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from pathlib import Path

#: three row groups
_ROWS = 300_000
_NAMES = ("pg", "duck", "lake", "lines")


def project_of(root: Path, dsn: str, rows: pa.Table) -> Project:
    MemoryConnector.put("rows", rows, str(root))
    configs: dict[str, dict[str, Any]] = {
        "mem": {"type": "memory", "space": str(root)},
        "pg": {"type": "postgres", "dsn": dsn},
        "duck": {"type": "duckdb", "path": str(root / "out.duckdb")},
        "lake": {"type": "files", "root": str(root / "lake"), "format": "parquet"},
        "lines": {"type": "files", "root": str(root / "lines"), "format": "json"},
    }
    connectors = {name: ConnectorSpec(name, config["type"], config, None, None) for name, config in configs.items()}
    config = {
        "name": "p",
        "source": {"connector": "mem", "stream": "rows", "mode": "full_refresh"},
        "quality": {"rules": [{"id": "small", "type": "range", "field": "n", "max": 100}]},
        "destinations": [
            {"name": name, "connector": name, "table": "public.t" if name == "pg" else "t", "mode": "append"}
            for name in _NAMES
        ],
    }
    catalog = Catalog(root, root, connectors)
    spec = pipeline_from_config(config, catalog, capabilities)
    return Project(catalog=Catalog(root, root, connectors, {"p": spec}), store=Store("store", root), root=root)


def loaded(root: Path, dsn: str, column: str) -> dict[str, list[Any]]:
    """The column's values at each destination, in the order in which they lie there."""
    with psycopg.connect(dsn) as server:
        found = {"pg": [value for (value,) in server.execute(f"select {column} from public.t".encode()).fetchall()]}
    with duck.connect(root / "out.duckdb", read_only=True) as file:
        found["duck"] = [value for (value,) in file.execute(f"select {column} from t").fetchall()]
    (lake,) = (root / "lake" / "t").glob("*.parquet")
    found["lake"] = pq.read_table(lake).column(column).to_pylist()
    (lines,) = (root / "lines" / "t").glob("*.jsonl")
    with lines.open() as file:
        found["lines"] = [json.loads(line)[column] for line in file]
    return found


def test_all_destinations_hold_the_rows_that_passed_in_order(tmp_path: Path, postgres_database: str) -> None:
    bad = set(range(0, _ROWS, 1013))
    numbers = pa.array([500 if row in bad else 5 for row in range(_ROWS)], pa.int32())
    project = project_of(tmp_path, postgres_database, pa.table({"id": range(_ROWS), "n": numbers}))
    report = run(project, RunRequest("p"))
    expected = [row for row in range(_ROWS) if row not in bad]
    assert (report.error, report.rejected) == (None, len(bad))
    assert {name: each.rows for name, each in report.destinations.items()} == dict.fromkeys(_NAMES, len(expected))
    found = loaded(tmp_path, postgres_database, "id")
    assert [name for name, ids in found.items() if ids != expected] == []


def test_a_column_that_never_had_a_value_arrives_everywhere(tmp_path: Path, postgres_database: str) -> None:
    rows = pa.table({"id": [1, 2, 3], "n": [5, 500, 7], "nothing": pa.nulls(3)})
    project = project_of(tmp_path, postgres_database, rows)
    report = run(project, RunRequest("p"))
    assert report.error is None
    assert loaded(tmp_path, postgres_database, "nothing") == {name: [None, None] for name in _NAMES}
