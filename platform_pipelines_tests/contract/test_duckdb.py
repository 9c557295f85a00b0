from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.testing.contract import DestinationContract, SourceContract

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


class TestDuckDBSource(SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        with duck.connect(tmp_path / "source.duckdb") as connection:
            connection.register("arriving", table)
            connection.execute("create schema raw; create table raw.people as select * from arriving")
        return DuckDBConnector(path=tmp_path / "source.duckdb"), "raw.people"


class TestDuckDBDestination(DestinationContract):
    def make_destination(self, tmp_path: Path) -> Any:
        return DuckDBConnector(path=tmp_path / "new folder" / "warehouse.duckdb")

    def rows(self, destination: Any, table: str) -> list[dict[str, Any]]:
        with duck.connect(destination.path) as connection:
            return (
                connection.execute(f"select columns(c -> c not like '\\_pipelines\\_%' escape '\\') from {table}")
                .to_arrow_table()
                .to_pylist()
            )
