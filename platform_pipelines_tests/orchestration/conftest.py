"""A project in a temporary folder, with a DuckDB source and warehouse, as Dagster sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import pytest

from platform_pipelines.engine import Project, open_project
from platform_pipelines.orchestration.build import project_definitions

if TYPE_CHECKING:
    from pathlib import Path

CONNECTORS = """
shop: {type: duckdb, path: shop.duckdb}
warehouse: {type: duckdb, path: warehouse.duckdb}
copy: {type: duckdb, path: copy.duckdb}
broken: {type: duckdb, path: workspace.yaml/broken.duckdb}
"""

#: 8 rows over four days; one row of the third has no amount
ROWS = """
create table orders as select * from (values
    (1, timestamp '2024-01-01 08:00:00', 10.50, 'eu'), (2, timestamp '2024-01-01 09:00:00', 20.00, 'us'),
    (3, timestamp '2024-01-02 08:00:00', 30.00, 'eu'), (4, timestamp '2024-01-02 09:00:00', 40.00, 'us'),
    (5, timestamp '2024-01-03 08:00:00', null, 'eu'), (6, timestamp '2024-01-03 09:00:00', 60.00, 'us'),
    (7, timestamp '2024-01-04 08:00:00', 70.00, 'eu'), (8, timestamp '2024-01-04 09:00:00', 80.00, 'us')
) t(id, updated_at, amount, region)
"""

ORDERS = """
name: orders
domain: sales
description: Orders of the shop.
owners: [team:sales]
tags: {tier: gold}
source:
  connector: shop
  stream: main.orders
  mode: incremental
  cursor: {field: updated_at, timezone: UTC}
quality:
  rules:
    - {id: has_amount, type: required, fields: [amount]}
    - {id: small, type: range, field: amount, max: 50, severity: warning}
destinations:
  - {connector: warehouse, table: raw.orders, mode: merge, key: [id]}
"""

DAILY = "partitions: {by: day, field: updated_at, start: 2024-01-01, end: 2024-01-05}\n"


@dataclass
class Sandbox:
    """A project's folder and what is in it."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        """Write a YAML file into the folder of pipelines."""
        path = self.folder / "defs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def project(self) -> Project:
        return open_project(self.folder / "defs", self.folder / "store")

    def definitions(self) -> dg.Definitions:
        return project_definitions(self.project())

    def sql(self, database: str, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / f"{database}.duckdb")) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    for name in ("PIPELINES_EXECUTOR", "PIPELINES_JOBS", "PIPELINES_DEFS", "PIPELINES_STORE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workspace.yaml").write_text("", encoding="utf-8")
    made = Sandbox(tmp_path)
    made.write("connectors.yaml", CONNECTORS)
    made.sql("shop", ROWS)
    return made


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as made:
        yield made
