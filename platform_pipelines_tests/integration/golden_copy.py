"""Sends the golden table through whole runs, and reads back what became of each value.

``python -m platform_pipelines_tests.integration.golden_copy DSN FOLDER`` does the runs in a process of its own, so
that it can be given another locale and time zone.
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
from platform_pipelines.duck import literal, quote
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store
from platform_pipelines_tests.integration.golden import GOLDEN, SETUP
from platform_pipelines_tests.locales import adopt

if TYPE_CHECKING:
    import duckdb
    import psycopg
    import pyarrow as pa

    from platform_pipelines.connectors.base import Connector

_DAY = 24 * 60 * 60 * 1_000_000  # microseconds
#: columns of the table, one for each type; names that need quoting everywhere
NAMES = [f'{place} "{golden.kind}" Ü' for place, golden in enumerate(GOLDEN)]
ROWS = max(len(golden.values) for golden in GOLDEN)
TABLE = 'Every"thing ÄÖ select'
#: where each pipeline brings the table to, as ``schema.table``
COPIES = {"out": "Out", "merged": "mer ged", "from_lake": "from_lake", "from_duck": "from_duck"}


def fill(connection: psycopg.Connection) -> None:
    """Make the table: a row for the first value of every type, one for the second, and so on; the last is NULL."""
    columns = ", ".join(f"{quote(name)} {golden.ddl}" for name, golden in zip(NAMES, GOLDEN, strict=True))
    connection.execute(SETUP)
    connection.execute('create schema "Gold"')
    table = f'"Gold".{quote(TABLE)}'
    connection.execute(f"create table {table} (id int primary key, version int default 1, {columns})".encode())
    for row in range(ROWS + 1):
        values = [g.values[row].pg if row < len(g.values) else None for g in GOLDEN]
        marks = "".join(f", {literal(text) if text is not None else 'null'}" for text in values)
        connection.execute(f"insert into {table} values ({row}, 1{marks})".encode())


def copy(dsn: str, root: Path) -> None:
    """Run every pipeline."""
    connectors: dict[str, Connector] = {
        "app": PostgresConnector(dsn=dsn),
        "duck": DuckDBConnector(path=root / "out.duckdb"),
        "lake": FilesConnector(root=str(root / "lake"), format="parquet"),
    }
    three = [("app", f"{{}}.{TABLE}"), ("duck", f"{{}}.{TABLE}"), ("lake", "{}")]
    gold, incremental = f"Gold.{TABLE}", {"mode": "incremental", "cursor": {"field": "version"}}
    _run(root, connectors, "out", ("app", gold), three, mode="replace")
    _run(root, connectors, "merged", ("app", gold), three, mode="merge", key=["id"], source=incremental)
    with connectors["app"]._session("test") as connection:  # type: ignore[attr-defined]
        connection.execute(f'update "Gold".{quote(TABLE)} set version = 2'.encode())
    _run(root, connectors, "merged", ("app", gold), three, mode="merge", key=["id"], source=incremental)
    _run(root, connectors, "from_lake", ("lake", COPIES["merged"]), three[:1], mode="append")
    _run(root, connectors, "from_duck", ("duck", f"{COPIES['merged']}.{TABLE}"), three[:1], mode="append")


def _run(
    root: Path,
    connectors: dict[str, Connector],
    name: str,
    origin: tuple[str, str],
    targets: list[tuple[str, str]],
    **options: Any,
) -> None:
    declared = {key: ConnectorSpec(key, each.type) for key, each in connectors.items()}
    read = {"connector": origin[0], "stream": origin[1], "mode": "full_refresh"} | options.pop("source", {})
    writes = [{"connector": to, "table": text.format(COPIES[name])} | options for to, text in targets]
    config = {"name": name, "source": read, "destinations": writes}
    spec = pipeline_from_config(config, Catalog(root, root, declared), capabilities)
    catalog = Catalog(root, root, declared, {name: spec})
    report = run(Project(catalog, Store("store", root), root, connectors), RunRequest(name))
    assert report.status == "success", report.error
    assert {each.rows for each in report.destinations.values()} == {ROWS + 1}


def postgres_texts(connection: psycopg.Connection, schema: str, place: int) -> tuple[str, list[str | None]]:
    """Type and values of a column, as PostgreSQL writes them."""
    table, column = f"{quote(schema)}.{quote(TABLE)}", quote(NAMES[place])
    padded = f"{column}::text" if GOLDEN[place].kind != "character(5)" else f"textin(bpcharout({column}))"
    rows = connection.execute(f"select {padded} from {table} order by id".encode()).fetchall()
    kind = connection.execute(
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attname = %s",
        [table, NAMES[place]],
    ).fetchall()[0][0]
    return kind, [text for (text,) in rows]


def duckdb_texts(connection: duckdb.DuckDBPyConnection, schema: str, place: int) -> tuple[str, list[str | None]]:
    """Type and values of a column, as DuckDB writes them."""
    table, column = f"out.{quote(schema)}.{quote(TABLE)}", quote(NAMES[place])
    rows = connection.execute(f"select {column}::varchar, typeof({column}) from {table} order by id").fetchall()
    return rows[0][1], [text for text, _ in rows]


def parquet_texts(folder: Path, place: int) -> tuple[str, list[str | None]]:
    """Type and values of a column, as Arrow reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    live = json.loads((folder / "_pipelines_loads.manifest").read_text())["files"]
    table = pa.concat_tables(
        [pq.read_table(folder / file["name"], columns=["id", NAMES[place]]) for file in live]
    ).sort_by("id")
    column = table.column(1)
    return str(column.type), [_arrow_text(value) for value in column]


def _arrow_text(value: pa.Scalar[Any]) -> str | None:
    """An Arrow value as text; what Python's dates cannot hold as the number it is."""
    kind = str(value.type)
    if not value.is_valid:
        return None
    if kind.startswith("list"):
        return f"[{', '.join(_item(item) for item in value)}]"
    if kind == "float":
        return str(value.cast("string"))
    try:
        found = str(value.value) if kind == "time64[us]" and value.value >= _DAY else value.as_py()
    except (OverflowError, ValueError):
        found = str(value.value)
    if isinstance(found, bytes):
        return found.hex()
    text = str(found).lower() if kind == "bool" else str(found)
    return text.removesuffix(":00") if kind.endswith("UTC]") else text


def _item(value: pa.Scalar[Any]) -> str:
    found = (
        value.as_py() if str(value.type) in {"double", "bool", "int32"} or not value.is_valid else _arrow_text(value)
    )
    return json.dumps(found, ensure_ascii=False)


if __name__ == "__main__":
    print(json.dumps(adopt()))  # noqa: T201 - read by who started this
    copy(sys.argv[1], Path(sys.argv[2]))
