"""Tables of real destinations, looked at from outside: what somebody finds there with a tool of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.duck import literal

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector

#: connectors by name, that tables go to
KINDS = ("duckdb", "postgres", "parquet")
Rows = dict[Any, tuple[Any, ...]]


def connector(kind: str, root: Path, dsn: str = "") -> Connector:
    """A destination below ``root``, or the database of ``dsn``."""
    if kind == "duckdb":
        return DuckDBConnector(type="duckdb", path=root / "out.duckdb")
    if kind == "postgres":
        return PostgresConnector(dsn=dsn)
    return FilesConnector(root=str(root / "lake"), format="parquet")


def rows_of(kind: str, root: Path, dsn: str, columns: str, table: str = "out") -> Rows:
    """Rows of a table by the first of the columns, an SQL expression each; empty where there is no table yet.

    A table's name is as SQL has it, quoted where that is needed, a folder's as it is.

    Raises:
        AssertionError: a key stands twice.
    """
    found = _query(kind, root, dsn, columns, table)
    rows = {row[0]: row[1:] for row in found}
    assert len(rows) == len(found), "a key stands twice"
    return rows


def _query(kind: str, root: Path, dsn: str, columns: str, table: str) -> list[tuple[Any, ...]]:
    if kind == "postgres":
        with psycopg.connect(dsn) as connection:
            if connection.execute("select to_regclass(%s)", [table]).fetchall() == [(None,)]:
                return []
            return connection.execute(f"select {columns} from {table}".encode()).fetchall()
    if kind == "parquet":
        manifest = root / "lake" / table / "_pipelines_loads.manifest"
        live = json.loads(manifest.read_text())["files"] if manifest.exists() else []
        paths = ", ".join(literal(str(manifest.parent / file["name"])) for file in live)
        with duck.connect() as memory:
            found = f"select {columns} from read_parquet([{paths}], union_by_name=true)"
            return memory.execute(found).fetchall() if live else []
    if not (root / "out.duckdb").exists():
        return []
    with duckdb.connect(str(root / "out.duckdb"), read_only=True) as database:
        known = {name for (name,) in database.execute("select table_name from duckdb_tables()").fetchall()}
        return database.execute(f"select {columns} from {table}").fetchall() if _name(table) in known else []


def _name(table: str) -> str:
    return table[1:-1].replace('""', '"') if table.startswith('"') else table
