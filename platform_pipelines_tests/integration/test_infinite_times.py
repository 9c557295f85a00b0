"""Times that are infinite, of every unit that Arrow has, in every destination; a second run reads back what was written."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines_tests import tables
from platform_pipelines_tests.unit.engine.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine.project import Project

INFINITE = 2**63 - 1
ENDS = {1: ("infinity",), 2: ("-infinity",)}


def loading(world: World, mode: str, **changes: Any) -> Project:
    key = {"key": ["id"]} if mode == "merge" else {}
    source = {"connector": "mem", "stream": "rows", "mode": "full_refresh"}
    outs = [{"name": n, "connector": n, "table": "out", "mode": mode} | key for n in world.others if n != "source"]
    return world.project(**{"source": source, "destinations": outs} | changes)


@pytest.fixture
def world(tmp_path: Path, postgres_database: str) -> World:
    others = {kind: tables.connector(kind, tmp_path, postgres_database) for kind in tables.KINDS}
    return World(tmp_path, others=others | {"text": FilesConnector(root=str(tmp_path / "text"), format="csv")})


def in_text(root: Path) -> dict[int, str]:
    """The rows of the CSV files, by number."""
    found = {}
    for path in (root / "text" / "out").glob("*.csv"):
        with path.open(newline="") as lines:
            found |= {int(row["id"]): row["x"] for row in csv.DictReader(lines)}
    return found


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_infinite_times_arrive_everywhere(
    world: World, unit: str, zone: str | None, mode: str, postgres_database: str
) -> None:
    column = pa.array([INFINITE, -INFINITE, 1], pa.int64()).cast(pa.timestamp(unit, zone))
    world.put(pa.table({"id": [1, 2, 3], "x": column}))
    project = loading(world, mode)
    for _ in range(2):
        assert world.run(project).error is None
    for kind in tables.KINDS:
        found = tables.rows_of(kind, world.root, postgres_database, "id, x::varchar")
        assert {number: found[number] for number in (1, 2)} == ENDS
        assert found[3][0].startswith("1970-01-01 00:00:0")
    assert {number: value for number, value in in_text(world.root).items() if number < 3} == {
        1: "infinity",
        2: "-infinity",
    }


@pytest.mark.parametrize("kind", ["timestamp_s", "timestamp_ms", "timestamp_s[]"])
def test_seconds_of_duckdb_and_of_a_transform(world: World, kind: str, postgres_database: str) -> None:
    path = world.root / "source.duckdb"
    value = "['infinity']" if kind.endswith("[]") else "'infinity'"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table rows as select 1 as id, {value}::{kind} as x")
    world.others["source"] = DuckDBConnector(type="duckdb", path=path)
    source = {"connector": "source", "stream": "rows", "mode": "full_refresh"}
    made = {"sql": "select *, x::timestamp_s as made from input" if kind == "timestamp_ms" else "select * from input"}
    project = loading(world, "append", source=source, transforms=[made])
    assert world.run(project).error is None
    expected = "[infinity]" if kind.endswith("[]") else "infinity"
    for each in ("duckdb", "parquet"):
        assert tables.rows_of(each, world.root, postgres_database, "id, x::varchar") == {1: (expected,)}


def test_a_time_that_parquet_cannot_keep_is_named(world: World) -> None:
    world.put(pa.table({"id": [1], "x": pa.array([2**62], pa.int64()).cast(pa.timestamp("s"))}))
    error = world.run(loading(world, "append")).error or ""
    assert "A timestamp cannot be kept in Parquet" in error
    assert "make text of its column" in error
    assert "not foreseen" not in error
