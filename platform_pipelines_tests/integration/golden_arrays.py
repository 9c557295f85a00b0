"""Arrays of every type of the golden table, in one table: sent to each destination and back by way of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.duck import literal, quote
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests.integration.golden import GOLDEN, SETUP

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines_tests.integration.golden_types import Golden

#: the types of which there are arrays here, each a column
ELEMENTS = [golden for golden in GOLDEN if not golden.ddl.endswith("[]")]
COLUMNS = [f"{place} {golden.kind}" for place, golden in enumerate(ELEMENTS)]
#: what an element becomes a list of, where that is no text
NATURAL = {
    "boolean", "smallint", "integer", "bigint", "real", "double precision", "date", "timestamp without time zone",
    "timestamp(3) without time zone", "timestamp with time zone",
}  # fmt: skip
ROWS = 4
SOURCE, OUT = "public.arrays", "out.arrays"
#: where it arrives in PostgreSQL: straight, and by way of the others
BY_LAKE, BY_DUCK = "from_lake.arrays", "from_duck.arrays"


def fill(connection: psycopg.Connection) -> None:
    """Make the table: all values and a NULL in one array, none, NULL alone, and no array."""
    connection.execute(SETUP)
    columns = ", ".join(f"{quote(name)} {each.ddl}[]" for name, each in zip(COLUMNS, ELEMENTS, strict=True))
    connection.execute(f"create table {SOURCE} (id int primary key, {columns})".encode())
    for row in range(ROWS):
        values = ", ".join(f"{_value(row, golden)}::{golden.ddl}[]" for golden in ELEMENTS)
        connection.execute(f"insert into {SOURCE} values ({row}, {values})".encode())


def _value(row: int, golden: Golden) -> str:
    every = ", ".join([*(literal(value.pg) for value in golden.values), "null"])
    return (f"array[{every}]", "'{}'", "'{NULL}'", "null")[row]


def copy(dsn: str, root: Path) -> None:
    """Run every pipeline."""
    connectors: dict[str, Connector] = {
        "app": PostgresConnector(dsn=dsn),
        "duck": DuckDBConnector(path=root / "out.duckdb"),
        "lake": FilesConnector(root=str(root / "lake"), format="parquet"),
    }
    _run(root, connectors, ("app", SOURCE), {"app": OUT, "duck": OUT, "lake": "arrays"})
    _run(root, connectors, ("lake", "arrays"), {"app": BY_LAKE})
    _run(root, connectors, ("duck", OUT), {"app": BY_DUCK})


def _run(root: Path, connectors: dict[str, Connector], origin: tuple[str, str], targets: dict[str, str]) -> None:
    declared = {key: ConnectorSpec(key, each.type) for key, each in connectors.items()}
    config: dict[str, Any] = {
        "name": f"from_{origin[0]}",
        "source": {"connector": origin[0], "stream": origin[1], "mode": "full_refresh"},
        "destinations": [{"connector": to, "table": table, "mode": "replace"} for to, table in targets.items()],
    }
    spec = pipeline_from_config(config, Catalog(root, root, declared), capabilities)
    catalog = Catalog(root, root, declared, {spec.name: spec})
    report = run(Project(catalog, Store("store", root), root, connectors), RunRequest(spec.name))
    assert report.status == "success", report.error
    assert {each.rows for each in report.destinations.values()} == {ROWS}
