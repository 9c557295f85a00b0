"""Joins with whatever can be read: tables, files and streams of every connector."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.errors import SpecError
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

MADE = "create table airports (faa varchar(3), name varchar(20)); insert into airports values {}"
VALUES = "('JFK', 'Kennedy'), ('LGA', 'La Guardia'), ('LGA', 'LaGuardia'), (null, 'nowhere')"


def in_memory(_folder: Path) -> dict[str, Any]:
    rows = [("JFK", "Kennedy"), ("LGA", "La Guardia"), ("LGA", "LaGuardia"), (None, "nowhere")]
    table = pa.table({"faa": [row[0] for row in rows], "name": [row[1] for row in rows]})
    MemoryConnector.put("airports", table, "joins")
    return {"connector": {"type": "memory", "space": "joins"}, "stream": "airports"}


def in_duckdb(folder: Path) -> dict[str, Any]:
    with duckdb.connect(str(folder / "a.duckdb")) as connection:
        connection.execute(MADE.format(VALUES))
    return {"connector": {"type": "duckdb", "path": str(folder / "a.duckdb")}, "table": "main.airports"}


def in_sqlite(folder: Path) -> dict[str, Any]:
    connection = sqlite3.connect(folder / "a.sqlite")
    connection.executescript(MADE.format(VALUES))
    connection.close()
    return {"connector": {"type": "sql", "url": f"sqlite:///{folder / 'a.sqlite'}"}, "table": "airports"}


def in_csv(folder: Path) -> dict[str, Any]:
    (folder / "airports-1.csv").write_text("faa;name\nJFK;Kennedy\nLGA;La Guardia\n")
    (folder / "airports-2.csv").write_text("faa;name\nLGA;LaGuardia\n;nowhere\n")
    files = {"type": "files", "root": str(folder), "format": "csv", "options": {"null_values": [""]}}
    return {"connector": files, "stream": "airports-*.csv", "options": {"delimiter": ";"}}


def in_parquet(folder: Path) -> dict[str, Any]:
    table = pa.table({"faa": ["JFK", "LGA", "LGA", None], "name": ["Kennedy", "La Guardia", "LaGuardia", "nowhere"]})
    pq.write_table(table, folder / "airports.parquet")
    return {"connector": {"type": "files", "root": str(folder), "format": "parquet"}, "table": "airports.parquet"}


def joined(world: World, other: dict[str, Any], **changes: Any) -> Any:
    world.put([{"id": n, "dest": dest, "at": at(n)} for n, dest in enumerate(["LGA", "XXX", None, "JFK"])])
    step = {"join": {"with": other, "on": {"dest": "faa"}, "prefix": "dest_", **changes}}
    return world.run(world.project(transforms=[step]))


@pytest.mark.parametrize("make", [in_memory, in_duckdb, in_sqlite, in_csv, in_parquet])
def test_joins_with(world: World, make: Any) -> None:
    report = joined(world, make(world.root))
    assert (report.status, report.read, report.filtered) == ("success", 4, -1), report.error
    assert [(row["id"], row["dest_name"]) for row in world.rows()] == [
        (0, "La Guardia"), (0, "LaGuardia"), (1, None), (2, None), (3, "Kennedy"),
    ]  # fmt: skip


def test_joins_with_postgres(world: World, postgres_dsn: str) -> None:
    import psycopg

    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("drop schema if exists joins cascade; create schema joins; set search_path = joins")
        connection.execute(MADE.format(VALUES).encode())
    report = joined(
        world, {"connector": {"type": "postgres", "dsn": postgres_dsn}, "table": "joins.airports"}, how="inner"
    )
    assert report.status == "success", report.error
    assert sorted((row["id"], row["dest_name"]) for row in world.rows()) == [
        (0, "La Guardia"), (0, "LaGuardia"), (3, "Kennedy"),
    ]  # fmt: skip


def test_a_later_row_still_replaces_an_earlier_one_behind_a_join(world: World) -> None:
    """Without a cursor the row that comes last wins; a join that changed the order would let another win."""
    MemoryConnector.put("many", pa.table({"k": range(500_000), "v": range(500_000)}), world.space)
    keys, versions = [n % 1000 for n in range(20_000)], list(range(20_000))
    MemoryConnector.put("rows", pa.table({"k": keys, "version": versions}), world.space)
    project = world.project(
        source={"connector": "mem", "stream": "rows"},
        transforms=[{"join": {"with": {"connector": "mem", "table": "many"}, "on": {"k": "k"}}}],
        destinations=[{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["k"]}],
    )
    assert world.run(project).status == "success"
    assert {row["k"]: row["version"] for row in world.rows()} == {k: 19_000 + k for k in range(1000)}


def test_a_file_with_records_that_cannot_be_read_is_not_joined_in_part(world: World) -> None:
    other = in_csv(world.root)
    (world.root / "airports-2.csv").write_text("faa;name\nLGA;LaGuardia;2\n")
    report = joined(world, other)
    assert report.status == "failed"
    assert "has records that cannot be read, such as: airports-2.csv line 2" in str(report.error)


def test_options_that_the_connector_does_not_know_are_refused(world: World) -> None:
    other = in_csv(world.root) | {"options": {"delimeter": ";"}}
    with pytest.raises(SpecError, match="Unknown option `delimeter`.*Did you mean `delimiter`"):
        joined(world, other)
    with pytest.raises(SpecError, match="can only be loaded, so nothing can be joined from it"):
        joined(world, {"connector": {"type": "logger"}, "table": "t"})
