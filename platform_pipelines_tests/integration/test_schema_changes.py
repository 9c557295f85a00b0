"""Schema changes between two runs: as the contract says, at every destination, every row accounted for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import psycopg
import pytest

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
from platform_pipelines_tests.integration.schema_changes import CHANGES, Change, Ends, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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


@pytest.fixture
def world(tmp_path: Path, postgres_database: str) -> Iterator[World]:
    world = World(tmp_path, postgres_database)
    yield world
    world.admin.close()


def _begin(world: World, column: str, value: str, contract: dict[str, str]) -> None:
    world.execute(f"create table t (id int primary key, at int, {column})")
    world.execute(f"insert into t values (1, 1, {value}), (2, 1, {value})")
    assert world.run(contract).status == "success"


def _check(world: World, ends: Ends) -> None:
    for name, kind in zip(TABLES, ends.types, strict=True):
        shown = ends.values if name == "pg" else ends.shown or ends.values
        expected = {str(number): value for number, value in zip((1, 2, 3), shown, strict=True) if value is not None}
        assert world.column(name) == (kind, expected), name


@pytest.mark.parametrize("setting", get_args(Setting))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_type_that_changed(world: World, change: Change, setting: Setting) -> None:
    contract = {"type_changes": setting}
    _begin(world, f"v {change.before[0]}", change.before[1], contract)
    before = world.everywhere()
    world.execute(
        f"alter table t alter v type {change.alter}", f"update t set at = 2, v = {change.new[0]} where id = 1"
    )
    world.execute(f"insert into t values (3, 2, {change.new[1]})")
    report, ends = world.run(contract), change.expected(setting)
    if ends is not None:
        assert (report.status, report.rejected) == ("success", ends.rejected), report.error
        _check(world, ends)
        return
    assert report.status == "failed"
    assert "The type of a column changed: `v`" in str(report.error)
    assert world.everywhere() == before, "nothing was loaded"
    if change.widen is not None:  # the contract is loosened: what was refused arrives
        assert world.run({"type_changes": "widen"}).error is None
        _check(world, change.widen)
        return
    assert change.anew
    assert world.run(contract, full_refresh=True).status != "success" or change.name == "text to int"
    report = world.run(contract, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    _check(world, change.anew)


@pytest.mark.parametrize("missing", ["fail", "null"])
@pytest.mark.parametrize("new", ["add", "ignore", "fail"])
@pytest.mark.parametrize("change", ["added", "dropped", "renamed", "added and dropped"])
def test_columns_that_come_and_go(world: World, change: str, new: str, missing: str) -> None:
    contract = {"new_columns": new, "missing_columns": missing}
    _begin(world, "v int", "5", contract)
    before = world.everywhere()
    alter = {
        "added": "add w int default 5",
        "dropped": "drop v",
        "renamed": "rename v to w",
        "added and dropped": "drop v, add w int default 5",
    }[change]
    world.execute(f"alter table t {alter}", "update t set at = 2 where id = 1", "insert into t (id, at) values (3, 2)")
    refused = (change != "dropped" and new == "fail") or (change != "added" and missing == "fail")
    report = world.run(contract)
    if refused:
        assert report.status == "failed"
        assert "columns: `" in str(report.error)
        assert world.everywhere() == before, "nothing was loaded"
        new, missing = "add" if new == "fail" else new, "null"
        report = world.run({"new_columns": new, "missing_columns": missing})
    assert report.status == "success", report.error
    source = dict(world.admin.execute("select id::text, to_jsonb(t) from t").fetchall())
    for name in TABLES:
        types, rows = world.content(name)
        assert ("w" in types) == (change != "dropped" and new == "add")
        assert "v" in types, "no column is ever dropped"
        loaded = {key: dict(zip(types, row, strict=True)) for key, row in rows.items()}
        assert loaded.keys() == source.keys()
        for key in ("1", "3"):  # rows that were read after the change
            for column in types:
                value = source[key].get(column)
                assert loaded[key][column] == (None if value is None else str(value)), (name, key, column)


@pytest.mark.parametrize("setting", get_args(Setting))
def test_another_order_of_columns_is_no_change(world: World, setting: Setting) -> None:
    contract = {"type_changes": setting, "new_columns": "fail", "missing_columns": "fail"}
    _begin(world, "v int, w text", "1, 'a'", contract)
    world.execute(
        "alter table t add x int", "update t set x = v", "alter table t drop v", "alter table t rename x to v"
    )
    world.execute("update t set at = 2, v = 7 where id = 1", "insert into t values (3, 2, 'c', 9)")
    assert world.run(contract).error is None
    for name in TABLES:
        assert world.column(name)[1] == {"1": "7", "2": "1", "3": "9"}
        assert world.column(name, "w")[1] == {"1": "a", "2": "a", "3": "c"}


@pytest.mark.parametrize("key", [("code",), ("id", "code"), ("region",)])
def test_another_key_takes_a_new_epoch(world: World, key: tuple[str, ...]) -> None:
    """What was loaded by the old key is replaced; a primary key that the old one had made is no hindrance."""
    world.execute("create table t (id int, at int, code text not null, region text not null)")
    world.execute("insert into t values (1, 1, 'a', 'x'), (2, 1, 'b', 'x')")
    assert world.run({}).error is None
    changed = {
        ("code",): "insert into t values (1, 2, 'c', 'x')",
        ("id", "code"): "insert into t values (1, 2, 'c', 'x')",
        ("region",): "delete from t where id = 1",  # both rows that are loaded have the one key that is left
    }
    world.execute(changed[key])
    if key != ("region",):
        report = world.run({}, key=key, full_refresh=True)
        assert report.destinations["pg"].status == "failed"
        assert "The primary key of out.t is another than the key of this destination" in str(report.error)
    report = world.run({}, key=key, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    source = world.admin.execute("select id::text, code, region from t order by code").fetchall()
    for name in TABLES:
        assert sorted(world.rows(name, ("id", "code", "region")), key=lambda row: str(row[1])) == source
    world.execute("update t set at = 3, region = region || region")
    if key != ("region",):
        assert world.run({}, key=key).error is None
        assert {row[2] for name in TABLES for row in world.rows(name, ("id", "code", "region"))} == {"xx"}


def test_a_primary_key_of_the_users_own_stays(world: World) -> None:
    world.execute(
        "create schema out",
        "create table out.t (row bigint generated always as identity primary key, id int, at int, v int)",
    )
    world.execute("create table t (id int, at int, v int)", "insert into t values (1, 1, 5), (2, 1, 6)")
    for _ in range(2):
        report = world.run({}, full_refresh=True, allow_destructive=True)
        assert report.destinations["pg"].status == "success", report.error
    assert world.admin.execute("select count(*) from pg_constraint where conname = 't_pkey'").fetchone() == (1,)
    assert world.column("pg")[1] == {"1": "5", "2": "6"}


@pytest.mark.parametrize("column", ["id", "at"])
def test_key_and_cursor_grow_as_other_columns_do(world: World, column: str) -> None:
    _begin(world, "v int", "1", {})
    world.execute(f"alter table t alter {column} type bigint", "update t set at = 2, v = 7 where id = 1")
    world.execute(
        f"insert into t (id, at, v) values {'(3000000000, 2, 9)' if column == 'id' else '(3, 3000000000, 9)'}"
    )
    assert world.run({}).error is None
    for name in TABLES:
        key = "3000000000" if column == "id" else "3"
        assert world.column(name)[1] == {"1": "7", "2": "1", key: "9"}
        assert world.content(name)[0][column].lower() == "bigint"
