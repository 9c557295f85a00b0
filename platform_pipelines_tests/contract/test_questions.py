"""What connectors answer beside reads: totals of a stream, and the rows that a table holds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.sql import SqlConnector
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Feed, Load, Offset, Stream, TimeSlice, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATABASE = """
create table t (id bigint, amount decimal(10, 2), ratio double precision, name varchar(9), "at" timestamp);
insert into t values (1, 1.10, 0.5, 'a', '2024-01-01 00:00:00'), (2, 2.20, 0.25, 'b', '2024-01-01 12:00:00'),
    (3, null, null, null, '2024-01-02 00:00:00'), (4, 4.40, 1, 'd', '2024-01-03 00:00:00')
"""
CSV = "id,amount,ratio,name,at\n1,1.10,0.5,a,2024-01-01 00:00:00\n2,2.20,0.25,b,2024-01-01 12:00:00\n3,,,,2024-01-02 00:00:00\n4,4.40,1,d,2024-01-03 00:00:00\n"
DAY = TimeSlice("at", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, tzinfo=dt.UTC))


@pytest.fixture(params=["duckdb", "postgres", "sql", "sqlite", "csv", "memory"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, str]:
    """A connector that holds the same four rows, and the stream's name."""
    if request.param in {"postgres", "sql"}:
        dsn = request.getfixturevalue("postgres_database")
        with psycopg.connect(dsn) as connection:
            connection.execute(DATABASE)
        if request.param == "postgres":
            return PostgresConnector(dsn=dsn), "public.t"
        url = sqlalchemy.make_url(dsn).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return SqlConnector(url=url), "public.t"
    if request.param == "sqlite":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/a.db")
        with engine.begin() as connection:
            for statement in DATABASE.split(";"):
                connection.execute(sqlalchemy.text(statement))
        engine.dispose()
        return SqlConnector(url=f"sqlite:///{tmp_path}/a.db"), "t"
    if request.param == "csv":
        (tmp_path / "t.csv").write_text(CSV, encoding="utf-8")
        return FilesConnector(root=str(tmp_path), format="csv", options={"types": {"amount": "decimal(10,2)"}}), "t.csv"
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute(DATABASE)
        rows = connection.execute("from t").to_arrow_table()
    if request.param == "memory":
        MemoryConnector.put("t", rows, str(tmp_path))
        return MemoryConnector(space=str(tmp_path)), "t"
    return DuckDBConnector(path=tmp_path / "a.duckdb"), "t"


def test_rows_and_sums(source: tuple[Any, str]) -> None:
    connector, name = source
    found = connector.totals(Stream(name), Window(), ["id", "amount", "ratio"])
    assert found.rows == 4
    assert found.sums == {"id": 10, "amount": Decimal("7.70"), "ratio": 1.75}
    assert connector.totals(Stream(name), Window(), []).rows == 4


def test_a_window_is_half_open(source: tuple[Any, str]) -> None:
    connector, name = source
    high = Cursor.parse("2024-01-03T00:00:00", "timestamp")
    found = connector.totals(Stream(name), Window("at", high=high, timezone="UTC"), ["amount"])
    assert (found.rows, found.sums["amount"]) == (3, Decimal("3.30"))


def test_a_partition(source: tuple[Any, str]) -> None:
    connector, name = source
    found = connector.totals(Stream(name), Window(partition=DAY), ["id"])
    assert (found.rows, found.sums["id"]) == (2, 3)


@pytest.mark.parametrize("column", ["name", "nothing"])
def test_what_cannot_be_summed_is_named(source: tuple[Any, str], column: str) -> None:
    connector, name = source
    with pytest.raises(InvalidData, match=column):
        connector.totals(Stream(name), Window(), [column])


@pytest.fixture(params=["duckdb", "postgres", "parquet", "csv", "memory"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "postgres":
        return PostgresConnector(dsn=request.getfixturevalue("postgres_database"))
    made: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: DuckDBConnector(path=tmp_path / "a.duckdb"),
        "parquet": lambda: FilesConnector(root=str(tmp_path)),
        "csv": lambda: FilesConnector(root=str(tmp_path), format="csv"),
        "memory": lambda: MemoryConnector(space=str(tmp_path)),
    }
    return made[request.param]()


def load(connector: Any, key: str, ids: list[int]) -> None:
    rows = pa.table({"id": pa.array(ids, pa.int64()), "name": [f"n{each}" for each in ids]})
    order = Load(Feed("p", key), "held", "append", rows.schema, Offset(1, 1), len(ids), "pt-x", fresh=True)
    connector.load(order, rows.to_reader())


def held(connector: Any, columns: list[str], but: Feed | None = None) -> list[Any]:
    found = [row for batch in connector.holds("held", columns, but) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: sorted(row.items()))


def test_rows_are_read_back(destination: Any) -> None:
    assert held(destination, ["id"]) == []
    load(destination, "eu", [1, 2])
    load(destination, "us", [3])
    assert held(destination, ["id"]) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert held(destination, ["name", "nothing", "id"], Feed("p", "eu")) == [{"name": "n3", "id": 3}]
    assert [row for row in held(destination, ["nothing"]) if row] == []
