"""The highest cursor of each of very many periods is that of each period asked for by itself."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from platform_pipelines.formats.slices import partition_cursors
from platform_pipelines.model import TimeSlice, ValueSlice, Window
from platform_pipelines.sql.predicates import families

DAYS = 150
FIRST = dt.datetime(2023, 12, 31, tzinfo=dt.UTC)
SLICES = {
    f"{FIRST + dt.timedelta(days=day):%Y-%m-%d}": TimeSlice(
        "day", FIRST + dt.timedelta(days=day), FIRST + dt.timedelta(days=day + 1)
    )
    for day in range(DAYS)
}


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("set timezone = 'UTC'")
    return made


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("field", ["n", None])
def test_many_periods_at_once_and_each_by_itself(
    connection: duckdb.DuckDBPyConnection, kind: str, field: str | None
) -> None:
    # two rows a day with gaps, NULLs of both, rows before and after all periods, and columns named as in the query
    connection.execute(
        "create table rows as select case when i % 11 = 0 then null else i end as n, i as low, i as high, "
        f"(timestamp '2023-12-29 06:00:00' + interval 12 hour * i)::{kind} as day from range(400) as r(i) "
        "where i % 14 not in (5, 6, 7, 8)"
    )
    connection.execute("insert into rows values (1000, 0, 0, null)")
    columns = families(connection.execute("select * from rows limit 0").to_arrow_table().schema)
    window = Window(field=field)
    together = partition_cursors(connection, "rows", columns, window, SLICES)
    alone = {}
    for key, part in SLICES.items():
        alone |= partition_cursors(connection, "rows", columns, window, {key: part})
    assert together == alone
    assert 100 < len(together) < DAYS


def test_partitions_by_value_are_many_too(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table rows as select i as n, 'k' || (i % 300) as region from range(900) as r(i)")
    slices = {f"k{number}": ValueSlice("region", f"k{number}") for number in range(250)}
    found = partition_cursors(connection, "rows", {"n": "int", "region": "string"}, Window(field="n"), slices)
    assert {key: cursor.text for key, cursor in found.items() if cursor} == {f"k{n}": str(n + 600) for n in range(250)}
