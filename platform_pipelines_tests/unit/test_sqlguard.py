from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines import duck, sqlguard
from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    import duckdb


@pytest.fixture(scope="module")
def connection() -> Any:
    with duck.connect() as connection:
        connection.execute("create table secret as select 42 as x")
        yield connection


@pytest.mark.parametrize(
    "text",
    [
        "select * from input; drop table secret",
        "copy input to 'f'",
        "attach 'x.db'",
        "pragma version",
        "set threads = 1",
        "select * from 'f.csv'",
        "select * from read_csv('x')",
        "select * from glob('*')",
        "select * from query('select 1')",
        "select * from secret",
        "select * from main.input",
        "select (select max(x) from secret) from input",
        "select x from input where exists (from pg_catalog.pg_tables)",
        "select a from input union all select x from secret",
        'with "/etc/x.csv" as (select 1) select * from (select 2) t, "/etc/x.csv"',
        "with q as (select * from secret) select * from q",
        "describe input",
        "select * from (summarize input)",
        "select getvariable('x') from input",
        "select system.main.getvariable('x')",
        "select current_setting('home_directory')",
        "select nextval('s')",
        "select list_transform(l, lambda x: getvariable(x)) from input",
        "select no_such_function(a) from input",
        "select $1",
        "selec 1",
        "",
        "   -- nothing",
    ],
)
def test_refused(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    with pytest.raises(SpecError):
        sqlguard.check_select(connection, text)


@pytest.mark.parametrize(
    ("text", "streaming"),
    [
        ("select *, amount * 2 as double from input -- all", True),
        ("from input", True),
        ("select * exclude (a) rename (b as c) from input where a > 1;", True),
        ("select {'x': 1}, [1, 2], l[1], s.a.b, cast(a as int), extract(year from d) from input", True),
        ("select list_transform(l, lambda x: x + 1), l.list_filter(x -> x > 1) from input i", True),
        ("select case when a in (1, 2) then b else c end as z from input", True),
        ("select a, count(*) from input group by a", False),
        ("select count(*) filter (where a) from input", False),
        ("select row_number() over (partition by a) as rn from input", False),
        ("select distinct a from input", False),
        ("select a from input order by a limit 3", False),
        ("select a from input union all select b from input", False),
        ("with q as (select * from input) select * from q join input using (a)", False),
        ("select unnest(l) from input", False),
        ("select * from input, unnest(input.l) as u(v)", False),
        ("select random(), now() from input", False),
        ("select a from input tablesample 10%", False),
        ("select (select max(a) from input) from input", False),
    ],
)
def test_allowed(connection: duckdb.DuckDBPyConnection, text: str, streaming: bool) -> None:  # noqa: FBT001 - a parameter
    assert sqlguard.check_select(connection, text).streaming is streaming


def test_names_of_new_values_and_of_renamed_columns(connection: duckdb.DuckDBPyConnection) -> None:
    checked = sqlguard.check_select(
        connection, "select * replace (1 as z) rename (b as c), i.x, i.s.y, a as a, upper(q) as q from input i"
    )
    assert checked.written >= {"z", "c", "y", "q"}
    assert not checked.written & {"x", "a"}
    assert set(checked.renamed) == {("c", "b"), ("x", "x"), ("a", "a")}


@pytest.mark.parametrize(
    "text",
    [
        "1=1) union select (1",
        "1) where (1=1",
        "a); select (1",
        "*",
        "a > (select 1)",
        "count(*) > 1",
        "sum(a) over () > 1",
        "a from x",
        "",
    ],
)
def test_expressions_refused(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    with pytest.raises(SpecError):
        sqlguard.check_expression(connection, text)


def test_expressions_allowed(connection: duckdb.DuckDBPyConnection) -> None:
    assert sqlguard.check_expression(connection, "amount > 0 and name <> 'x' -- why").streaming
    assert not sqlguard.check_expression(connection, "random() < 0.5").streaming
