"""Values of DuckDB whose types Arrow or Parquet lack come back from a file as text, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.errors import CursorError
from platform_pipelines.model import Stream, Window
from platform_pipelines.sql.duckdb_carried import all_but, replaced, types_of
from platform_pipelines.testing.rows import records

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {
    "interval '-3 months 2 days 3.5 seconds'": "INTERVAL",
    "[interval '1 day', null]": "INTERVAL[]",
    """{'a "b"': interval '1 day', 'c': 1}""": 'STRUCT("a ""b""" INTERVAL, c INTEGER)',
    "map {'a': interval '2 hours'}": "MAP(VARCHAR, INTERVAL)",
    "[{'a': [interval '1 day']}]": "STRUCT(a INTERVAL[])[]",
    "timetz '01:02:03+02'": "TIME WITH TIME ZONE",
    "'0101'::bit": "BIT",
    "123456789012345678901234567890123456789012345678901234567890::bignum": "BIGNUM",
    "340282366920938463463374607431768211455::uhugeint": "UHUGEINT",
    "[340282366920938463463374607431768211455::uhugeint]": "UHUGEINT[]",
    "{'e': 'b)'::enum('a(', 'b)', 'c\"'), 'k': [interval '1 day']}": """STRUCT(e ENUM('a(', 'b)', 'c"'), k INTERVAL[])""",
}
KEPT = ["1", "'x'", "1.5::decimal(9,2)", "[1, 2]", "{'a': 1}", "map {1: date '2020-01-01'}", "now()", "'x'::blob"]
KEPT += ["'b('::enum('b(')", "time_ns '01:02:03'", "row(timestamptz '2020-01-01 00:00:00+00', interval '1 day')"]


@pytest.mark.parametrize(("value", "kind"), VALUES.items())
def test_text_of_a_value_can_be_cast_back(tmp_path: Path, value: str, kind: str) -> None:
    path = str(tmp_path / "x.parquet")
    with duckdb.connect() as connection:
        query = f"select {value} as x"
        columns = all_but(replaced(types_of(connection, query)))
        found = connection.execute(f"select {columns} from ({query})").to_arrow_table()
        pq.write_table(found, path)
        same = f"select x::{kind} = {value}, x::{kind}::varchar = ({value})::varchar from read_parquet(?)"
        assert connection.execute(same, [path]).fetchall() == [(True, True)]


@pytest.mark.parametrize("value", KEPT)
def test_what_files_keep_is_left_alone(value: str) -> None:
    with duckdb.connect() as connection:
        assert not replaced(types_of(connection, f"select {value} as x"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{'a': 1}::variant", '{"a":1}'),
        ("'x'::variant", '"x"'),
        ("null::variant", None),
        ("union_value(n := 1)", '{"n":1}'),
    ],
)
def test_values_of_any_type_are_json(value: str, text: str | None) -> None:
    with duckdb.connect() as connection:
        columns = all_but(replaced(types_of(connection, f"select {value} as x")))
        assert connection.execute(f"select {columns} from (select {value} as x)").fetchall() == [(text,)]


def test_a_sql_transform_may_compute_them(tmp_path: Path) -> None:
    MemoryConnector.put("visits", pa.table({"id": [1, 2], "came": [10, 20], "went": [15, None]}), "carried")
    stay = "make_timestamp(went * 1000000) - make_timestamp(came * 1000000)"
    config = {
        "name": "visits",
        "source": {"connector": "it", "stream": "visits", "mode": "full_refresh"},
        "transforms": [{"sql": f"select id, {stay} as stay, [{stay}] as list, {{'a': 1}} as kept from input"}],
        "quality": {"rules": [{"type": "required", "fields": ["stay"]}]},
        "destinations": [
            {"connector": "lake", "table": "t", "mode": "replace"},
            {"connector": "house", "table": "t", "mode": "replace"},
        ],
    }
    saved = {
        "it": {"type": "memory", "space": "carried"},
        "lake": {"type": "files", "root": str(tmp_path / "lake"), "format": "parquet"},
        "house": {"type": "duckdb", "path": str(tmp_path / "w.duckdb")},
    }
    done = Pipeline.from_config(config, connectors=saved, store=str(tmp_path / "store")).run()
    assert (done.status, done.success_count, done.error_count) == ("success", 1, 1)
    lake = FilesConnector(root=str(tmp_path / "lake"), format="parquet")
    expected = [{"id": 1, "stay": "00:00:05", "list": ["00:00:05"], "kept": {"a": 1}}]
    assert records(list(lake.read(Stream("t"), Window(), None))) == expected
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        row = connection.execute("select stay, list, kept from t").fetchall()
    assert row == [("00:00:05", ["00:00:05"], {"a": 1})]


def test_a_parquet_file_may_hold_them(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 1 as id, interval '1 month 2 days' as a, [interval '1 day'] as b, timetz '01:02:03+02' as c, "
            f"'x'::enum('x') as d) to '{tmp_path}/f.parquet' (format parquet)"
        )
    files = FilesConnector(root=str(tmp_path), format="parquet")
    (row,) = records(list(files.read(Stream("f.parquet"), Window(), None)))
    with pytest.raises(CursorError, match="'a' cannot be a cursor"):
        list(files.read(Stream("f.parquet"), Window(field="a"), None))
    assert (row["a"], row["b"], str(row["c"]), row["d"]) == ("1 month 2 days", ["1 day"], "23:02:03", "x")


def test_a_table_of_duckdb_may_hold_them(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create table t as select [interval '1 day'] as a, {'b': timetz '01:02:03+02'} as c")
    house = DuckDBConnector(path=tmp_path / "w.duckdb")
    (row,) = records(list(house.read(Stream("t"), Window(), None)))
    assert row == {"a": ["1 day"], "c": {"b": "01:02:03+02"}}
