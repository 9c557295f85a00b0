"""Mistyped paths, tables and stages are named, and nothing is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.connectors.sql import SqlConnector
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.errors import ConnectError, PipelinesError, SpecErrors, UsageError
from platform_pipelines.model import Stream, Window
from platform_pipelines.spec import load_catalog
from platform_pipelines_tests.refusals import refusal
from platform_pipelines_tests.unit.engine.world import World

if TYPE_CHECKING:
    from pathlib import Path


def test_a_mistyped_sqlite_path_makes_no_database(tmp_path: Path) -> None:
    path = tmp_path / "mistyped.db"
    for ask in (SqlConnector(url=f"sqlite:///{path}").check, SqlConnector(url=f"sqlite:///{path}").streams):
        with pytest.raises(ConnectError, match=rf"SQLite database {path} does not exist\. Mend the path in `url`\."):
            ask()
    assert not path.exists()
    with pytest.raises(ConnectError, match=f"{tmp_path} is a folder"):
        SqlConnector(url=f"sqlite:///{tmp_path}").check()


def test_sqlite_in_memory_has_no_path() -> None:
    assert refusal(SqlConnector(url="sqlite://").check) is None
    assert refusal(SqlConnector(url="sqlite:///:memory:").check) is None


def test_a_folder_in_place_of_a_duckdb_file_is_called_one(tmp_path: Path) -> None:
    connector = DuckDBConnector(path=tmp_path)
    for ask in (connector.check, connector.streams, lambda: next(connector.read(Stream("t"), Window(), None))):
        with pytest.raises(ConnectError, match=f"DuckDB database {tmp_path} is a folder"):
            ask()


@pytest.mark.parametrize(
    ("connector", "table", "said"),
    [
        ("{type: duckdb, path: w.duckdb}", "a.b.c.d", "'a.b.c.d' is not a table: it has more than two parts."),
        ('{type: postgres, dsn: "${env://DSN}"}', "a.b.c", "'a.b.c' is not a table: it has more than two parts."),
        ("{type: duckdb, path: w.duckdb}", "a.", "'a.' is not a table."),
        ("{type: duckdb, path: w.duckdb}", "raw._pipelines_loads", "'raw._pipelines_loads' is where offsets are kept"),
        ('{type: postgres, dsn: "${env://DSN}"}', "_Pipelines_Loads", "'_Pipelines_Loads' is where offsets are kept"),
        ("{type: files, root: lake}", "../t", "Table '../t' is not allowed"),
        ("{type: files, root: lake}", "/t", "Table '/t' is not allowed"),
    ],
)
def test_tables_that_can_never_be_loaded_are_refused_at_once(
    tmp_path: Path, connector: str, table: str, said: str
) -> None:
    (tmp_path / "connectors.yaml").write_text(f"to: {connector}\n", encoding="utf-8")
    pipeline = f"name: p\nsource: {{connector: {{type: memory}}, stream: s}}\ndestinations:\n  - {{connector: to, table: {table}}}\n"
    (tmp_path / "p.yaml").write_text(pipeline, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(tmp_path, capabilities)
    assert f"p.yaml:4: `table` in destination `to`: {said}" in str(caught.value)


@pytest.mark.parametrize("stream", ["../*.csv", "a/../../*.csv", "/etc/passwd"])
def test_streams_that_lead_out_of_the_root_are_refused_at_once(tmp_path: Path, stream: str) -> None:
    (tmp_path / "connectors.yaml").write_text("drops: {type: files, root: in, format: csv}\n", encoding="utf-8")
    pipeline = (
        f"name: p\nsource:\n  connector: drops\n  stream: '{stream}'\ndestinations: [{{connector: {{type: logger}}}}]\n"
    )
    (tmp_path / "p.yaml").write_text(pipeline, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load_catalog(tmp_path, capabilities)
    assert f"p.yaml:4: `stream` in `source`: Stream '{stream}' is not allowed" in str(caught.value)


def test_a_mistyped_stage_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Unknown stage `validatd`.* Did you mean `validated`\?"):
        run(World(tmp_path).project(), RunRequest("p", only="validatd"))


def test_messages_of_drivers_stay_on_one_line(tmp_path: Path, postgres_dsn: str) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create table t (id integer)")
    query = Stream("t", {"query": "select *\nfrom\nnowhere"})
    broken = Stream("t", {"query": "select 'a\nb'::int as x"})
    nobody = "postgresql://nobody@localhost:1/db"
    readers = [
        (DuckDBConnector(path=tmp_path / "w.duckdb"), query),
        (DuckDBConnector(path=tmp_path / "w.duckdb"), broken),
        (PostgresConnector(dsn=postgres_dsn), query),
        (PostgresConnector(dsn=postgres_dsn), broken),
        (PostgresConnector(dsn=nobody), query),
        (SqlConnector(url=postgres_dsn.replace("postgres://", "postgresql://")), query),
        (SqlConnector(url=postgres_dsn.replace("postgres://", "postgresql://")), broken),
        (SqlConnector(url=nobody), query),
    ]
    for connector, stream in readers:
        with pytest.raises(PipelinesError) as caught:
            list(connector.read(stream, Window(), None))
        assert "\n" not in str(caught.value), caught.value
