"""A table of PostgreSQL that changes between runs, and the destinations that it is merged into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.duck import literal, quote
from platform_pipelines.engine import RunReport, RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector

TABLES = {"pg": "out.t", "duck": "t", "lake": "t"}
#: columns with their types, and rows by id
Content = tuple[dict[str, str], dict[str, tuple[str | None, ...]]]


class World:
    """A table of PostgreSQL, merged into PostgreSQL, DuckDB and a folder of Parquet files."""

    def __init__(self, root: Path, dsn: str) -> None:
        self.root = root
        #: rows that were read, and are neither loaded yet nor anything else
        self.unaccounted = 0
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.admin.execute("set timezone = 'UTC'")
        self.connectors: dict[str, Connector] = {
            "pg": PostgresConnector(dsn=dsn),
            "duck": DuckDBConnector(path=root / "out.duckdb"),
            "lake": FilesConnector(root=str(root / "lake"), format="parquet"),
        }

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.admin.execute(statement.encode())

    def run(
        self, contract: dict[str, str], key: Sequence[str] = ("id",), mode: str = "merge", **request: Any
    ) -> RunReport:
        declared = {name: ConnectorSpec(name, each.type) for name, each in self.connectors.items()}
        config = {
            "name": "p",
            "source": {"connector": "pg", "stream": "t", "mode": "incremental", "cursor": {"field": "at"}},
            "quality": {"gate": {"max_rejected_share": 1}, "schema_contract": contract},
            "destinations": [
                {"connector": name, "table": table, "mode": mode, "key": list(key)} for name, table in TABLES.items()
            ],
        }
        spec = pipeline_from_config(config, Catalog(self.root, self.root, declared), capabilities)
        catalog = Catalog(self.root, self.root, declared, {"p": spec})
        project = Project(catalog, Store("store", self.root), self.root, self.connectors)
        report = run(project, RunRequest("p", **request))
        self.unaccounted += report.read - report.rejected - report.filtered - report.deduplicated
        if request:  # what an earlier epoch had read is replaced
            self.unaccounted = 0
        elif report.status == "success":
            loaded = {each.rows for each in report.destinations.values()}
            assert loaded == {self.unaccounted}, "every row read is loaded, rejected, filtered or deduplicated"
            self.unaccounted = 0
        return report

    def _read(self, name: str) -> tuple[dict[str, str], list[tuple[str | None, ...]]]:
        """Columns and rows of a destination, values as text."""
        if name == "pg":
            types = dict(self.admin.execute(_PG_TYPES).fetchall())
            columns = ", ".join(f"{quote(each)}::text" for each in types)
            rows = self.admin.execute(f"select {columns} from out.t".encode()).fetchall()
        else:
            with duck.connect(self.root / "out.duckdb" if name == "duck" else None) as connection:
                relation = "t" if name == "duck" else self._files()
                described = connection.execute(f"describe select * from {relation}").fetchall()
                types = {row[0]: row[1] for row in described if not row[0].startswith("_pipelines")}
                columns = ", ".join(f"{quote(each)}::varchar" for each in types)
                rows = connection.execute(f"select {columns} from {relation}").fetchall()
        return types, rows

    def content(self, name: str) -> Content:
        """Columns of a destination, and rows by id."""
        types, rows = self._read(name)
        place = list(types).index("id")
        assert len({row[place] for row in rows}) == len(rows), "a key stands twice"
        return types, {row[place]: row for row in rows}

    def rows(self, name: str, columns: tuple[str, ...]) -> list[tuple[str | None, ...]]:
        types, rows = self._read(name)
        places = [list(types).index(column) for column in columns]
        return [tuple(row[place] for place in places) for row in rows]

    def _files(self) -> str:
        live = json.loads((self.root / "lake/t/_pipelines_loads.manifest").read_text())["files"]
        paths = ", ".join(literal(str(self.root / "lake/t" / file["name"])) for file in live)
        return f"read_parquet([{paths}], union_by_name=true)"

    def everywhere(self) -> dict[str, Content]:
        return {name: self.content(name) for name in TABLES}

    def column(self, name: str, column: str = "v") -> tuple[str, dict[str, str | None]]:
        """A column's type, and its values by id."""
        types, rows = self.content(name)
        place = list(types).index(column)
        return types[column], {key: row[place] for key, row in rows.items()}


_PG_TYPES = """
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'out.t'::regclass
and attnum > 0 and not attisdropped and attname not like '\\_pipelines%' order by attnum
"""
