from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines.testing.contract import DestinationContract, SourceContract

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class _OnPostgres:
    @pytest.fixture(autouse=True)
    def _database(self, postgres_database: str) -> None:
        self.dsn = postgres_database


class TestPostgresSource(_OnPostgres, SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:  # noqa: ARG002 - the suite's
        connector = PostgresConnector(dsn=self.dsn)
        load = Load(Feed("fill"), "raw.people", "append", table.schema, Offset(1, 1), table.num_rows, "pt-fill")
        connector.load(load, table.to_reader())
        return connector, "raw.people"


class TestPostgresDestination(_OnPostgres, DestinationContract):
    def make_destination(self, tmp_path: Path) -> Any:  # noqa: ARG002 - the suite's
        return PostgresConnector(dsn=self.dsn)

    def rows(self, destination: Any, table: str) -> list[dict[str, Any]]:
        with psycopg.connect(destination.dsn.get_secret_value(), row_factory=dict_row) as connection:
            found = connection.execute(f"select * from {table}".encode()).fetchall()
        return [{name: value for name, value in row.items() if not name.startswith("_pipelines_")} for row in found]
