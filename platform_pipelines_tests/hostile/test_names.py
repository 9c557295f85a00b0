"""Names and values that are SQL, format strings or paths arrive as what they are: names and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.engine import dead_letters
from platform_pipelines.model import Stream, Window
from platform_pipelines.spec import ConnectorSpec

if TYPE_CHECKING:
    from pathlib import Path

#: names that engines, or our own SQL, know as something else
TAKEN = [
    "filename",
    "file_row_number",
    "file_index",
    "rowid",
    "excluded",
    "input",
    "landed",
    "found",
    "file",
    "feed",
    "key",
    "value",
    "row",
    "old",
    "new",
    "s",
    "t",
    "o",
    "n",
    "f",
    "i",
]
NAMES = [
    'x"; drop table victim; --',
    "x'; drop table victim; --",
    "select",
    "a b",
    "%s %(x)s {0} $1 ${env}",
    "Ünïcödé",
    "back\\slash",
    "a/../b",
    "-- x",
    "`tick`",
    "[x]",
    "/* x",
]
VALUES = [
    *NAMES,
    "",
    "NULL",
    "\n\r\t",
    "\u202e reversed",
    "💣",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "\x01",
]


@pytest.fixture(params=["duckdb", "postgres", "parquet", "csv", "jsonl"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    if request.param == "postgres":
        return {"type": "postgres", "dsn": request.getfixturevalue("postgres_database")}
    if request.param == "duckdb":
        return {"type": "duckdb", "path": "w.duckdb"}
    return {"type": "files", "root": "lake", "format": request.param}


def table_of(target: dict[str, Any], name: str) -> str:
    """A folder takes no slash at its wish; a table of a database takes any name without a dot."""
    return name.replace(".", "") if target["type"] != "files" else name.replace("..", "").replace("\\", "").strip("/")


def read(root: Path, target: dict[str, Any], table: str) -> list[dict[str, Any]]:
    connector: Any = open_connector(ConnectorSpec("to", target["type"], target), root)
    rows = [
        row
        for page in connector.read(Stream(table), Window(), None)
        for batch in page.batches
        for row in batch.to_pylist()
    ]
    return [{name: value for name, value in row.items() if not name.startswith("_pipelines_")} for row in rows]


@pytest.mark.parametrize("name", ['x"; drop table victim; --', "%s %(x)s {0} $1 ${env}", "'Ünï' [x] `t` -- /* select"])
def test_hostile_names_of_columns_tables_and_keys(tmp_path: Path, target: dict[str, Any], name: str) -> None:
    rows = [{**dict.fromkeys(NAMES, value), name: value, "n": number} for number, value in enumerate(VALUES)]
    MemoryConnector.put(name, pa.Table.from_pylist(rows), "hostile")
    table = table_of(target, name)
    rules = [{"type": "required", "fields": [*NAMES, name], "id": "there"}]
    rules += [{"type": "regex", "field": each, "pattern": ".*", "id": f"any{i}"} for i, each in enumerate(NAMES)]
    rules += [
        {"type": "unique", "fields": [name, NAMES[3]], "id": "once", "scope": "out"},
        {"type": "accepted", "field": name, "values": [*VALUES, "another"], "id": "known"},
        {"type": "reconciliation", "sums": ["n"], "id": "same"},
        {"type": "anomaly", "metric": "distinct", "field": name, "id": "usual"},
    ]
    config = {
        "name": "hostile",
        "source": {"connector": "it", "stream": name, "mode": "incremental", "cursor": {"field": "n"}},
        "quality": {"rules": rules, "profile": True},
        "destinations": [{"name": "out", "connector": "to", "table": table, "mode": "merge", "key": [name]}],
    }
    saved = {"it": {"type": "memory", "space": "hostile"}, "to": target}
    made = Pipeline.from_config(config, connectors=saved, store="store")
    done = made.run()
    assert (done.status, done.success_count) == ("success", len(rows)), done.errors
    changed = [*rows[1:], {**rows[0], "n": 99}, {name: None, "n": 100}]
    MemoryConnector.put(name, pa.Table.from_pylist(changed), "hostile")
    assert made.run().status == "success"
    assert [letter["record"]["n"] for letter in dead_letters(made.project, "hostile")] == [100]
    found = sorted(read(tmp_path, target, table), key=lambda row: int(row["n"]))
    for each in (name, *NAMES):
        assert [row[each] for row in found] == [*VALUES[1:], VALUES[0]]


@pytest.mark.parametrize("mode", ["merge", "update", "delete"])
@pytest.mark.parametrize("keyed", [True, False])
def test_names_that_mean_something_else_too(tmp_path: Path, target: dict[str, Any], mode: str, *, keyed: bool) -> None:
    """As keys and as other columns, with rules over them, and rows that replace others of several files."""
    key = TAKEN if keyed else ["id"]
    made = taken(target, "append", key)
    MemoryConnector.put("taken", pa.Table.from_pylist([taken_row(number, "a") for number in range(4)]), "taken")
    assert made.run().status == "success"
    made = taken(target, mode, key)
    rows = [taken_row(number, "b", value="a" if keyed else "b") for number in (1, 2, 9)]
    MemoryConnector.put("taken", pa.Table.from_pylist(rows), "taken")
    done = made.run()
    assert done.status == "success", done.errors
    found = {row["id"]: row for row in read(tmp_path, target, "t")}
    numbers = {"merge": [0, 1, 2, 3, 9], "update": [0, 1, 2, 3], "delete": [0, 3]}[mode]
    assert sorted(found) == numbers
    for number, row in found.items():
        assert row == (rows[[1, 2, 9].index(number)] if number in {1, 2, 9} else taken_row(number, "a"))


def taken_row(number: int, note: str, value: str = "a") -> dict[str, Any]:
    return {"id": number, "note": note, **dict.fromkeys(TAKEN, f"{value}{number}")}


def taken(target: dict[str, Any], mode: str, key: list[str]) -> Pipeline:
    rules: list[dict[str, Any]] = [
        {"type": "required", "fields": TAKEN},
        {"type": "unique", "fields": TAKEN},
        *({"type": "regex", "field": name, "pattern": ".*", "id": f"any_{name}"} for name in TAKEN),
    ]
    config = {
        "name": f"taken_{mode}",
        "source": {"connector": "it", "stream": "taken", "mode": "full_refresh"},
        "transforms": [{"sql": "select * from input"}, {"filter": "s <> '' and input <> ''"}],
        "quality": {"rules": rules},
        "destinations": [{"name": "out", "connector": "to", "table": "t", "mode": mode, "key": key}],
    }
    saved = {"it": {"type": "memory", "space": "taken"}, "to": target}
    return Pipeline.from_config(config, connectors=saved, store="store")


@pytest.mark.parametrize("value", ["'; drop table victim; --", "../../up", "a/b", "%2e%2e", "~x", "ü" * 40, ".", "con"])
def test_hostile_values_of_partitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    MemoryConnector.put("rows", pa.table({"id": [1, 2], "region": [value, "eu"]}), "hostile")
    config = {
        "name": "p",
        "source": {"connector": "it", "stream": "rows"},
        "partitions": {"by": "value", "field": "region", "values": [value, "eu"]},
        "destinations": [
            {"connector": {"type": "files", "root": "lake"}, "name": "out", "table": "t", "mode": "append"}
        ],
    }
    made = Pipeline.from_config(config, connectors={"it": {"type": "memory", "space": "hostile"}}, store="store")
    assert made.run().status == "success"
    assert made.run(partitions=[value]).status in {"success", "nothing_new"}
    found = read(tmp_path, {"type": "files", "root": "lake"}, "t")
    assert sorted((row["id"], row["region"]) for row in found) == [(1, value), (2, "eu")]
    assert {path.name for path in tmp_path.iterdir()} == {"store", "lake"}


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_at_the_source(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with psycopg.connect(postgres_database) as connection:
        connection.execute("create table victim (id integer)")
        connection.execute(
            sql.SQL("create table {} ({} text, at timestamptz default now(), part text default {})").format(
                sql.Identifier(name), sql.Identifier(name), sql.Literal(name)
            )
        )
        connection.execute(sql.SQL("insert into {} values ({})").format(sql.Identifier(name), sql.Literal(name)))
    source = {"connector": "pg", "stream": f"public.{name}", "mode": "incremental", "cursor": {"field": "at"}}
    config = {
        "name": "p",
        "source": source,
        "partitions": {"by": "value", "field": "part", "values": [name]},
        "destinations": [{"name": "out", "connector": "to", "table": "t"}],
    }
    saved = {"pg": {"type": "postgres", "dsn": postgres_database}, "to": {"type": "files", "root": "lake"}}
    assert Pipeline.from_config(config, connectors=saved, store="store").run().success_count == 1
    assert [row[name] for row in read(tmp_path, saved["to"], "t")] == [name]
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("select count(*) from victim").fetchone() == (0,)
