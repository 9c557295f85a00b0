from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from platform_pipelines.connectors.sql import SqlConnector
from platform_pipelines.errors import ConnectError, InvalidData, SpecError
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.contract import SourceContract
from platform_pipelines.testing.rows import records

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


def _sqlite(path: Path, *statements: str) -> SqlConnector:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)
    return SqlConnector(url=f"sqlite:///{path}")


class TestSqliteSource(SourceContract):
    zoned = False

    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        path = tmp_path / "people.db"
        connector = _sqlite(
            path,
            "create table people (id bigint, name text, zip varchar(5), big bigint, amount text, "
            "born date, active boolean, updated_at text)",
        )
        with closing(sqlite3.connect(path)) as database, database:
            for row in table.to_pylist():
                values = [v if isinstance(v, int | str | None) else str(v).removesuffix("+00:00") for v in row.values()]
                database.execute("insert into people values (?, ?, ?, ?, ?, ?, ?, ?)", values)
        _retype(path, {"amount": "decimal(20,4)", "updated_at": "timestamp"})
        return connector, "people"


def _retype(path: Path, types: dict[str, str]) -> None:
    """Declare types without SQLite converting the values, as happens in real files."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma writable_schema = on")
        for column, declared in types.items():
            database.execute(
                "update sqlite_master set sql = replace(sql, ?, ?)", (f"{column} text", f"{column} {declared}")
            )
        database.commit()


class TestPostgresBySqlAlchemy(SourceContract):
    @pytest.fixture
    def filled(self, tmp_path: Path, postgres_database: str) -> tuple[Any, str]:
        from platform_pipelines.testing.rows import people

        self.dsn = postgres_database
        return self.make_source(tmp_path, people())

    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:  # noqa: ARG002 - the suite
        with psycopg.connect(self.dsn) as database:
            database.execute(
                "create table people (id bigint, name text, zip varchar(5), big bigint, amount numeric(20,4), "
                "born date, active boolean, updated_at timestamptz)"
            )
            for row in table.to_pylist():
                database.execute("insert into people values (%s,%s,%s,%s,%s,%s,%s,%s)", tuple(row.values()))
        return SqlConnector(url=self.dsn), "people"


def test_sqlite_values_that_do_not_fit_are_rejected(tmp_path: Path) -> None:
    source = _sqlite(
        tmp_path / "a.db", "create table t (id integer, n bigint)", "insert into t values (1, 'x'), (2, 5)"
    )
    pages = list(source.read(Stream("t"), Window(), None))
    assert records(pages) == [{"id": 2, "n": 5}]
    assert [r.reason for page in pages for r in page.rejected] == ["t, column 'n': 'x' is not a value of int64."]


def test_a_query_with_columns_and_where(tmp_path: Path) -> None:
    source = _sqlite(
        tmp_path / "a.db", "create table t (id integer, n text)", "insert into t values (1, 'a'), (2, 'b')"
    )
    options = {"query": "select id, n as label from t", "columns": ["label"], "where": "id > 1"}
    assert records(list(source.read(Stream("q", options), Window(), None))) == [{"label": "b"}]


def test_identifiers_are_quoted(tmp_path: Path) -> None:
    source = _sqlite(tmp_path / "a.db", 'create table "or""der" ("gr oup" integer)', 'insert into "or""der" values (7)')
    assert records(list(source.read(Stream('or"der'), Window(), None))) == [{"gr oup": 7}]


def test_near_names_are_offered(tmp_path: Path) -> None:
    source = _sqlite(tmp_path / "a.db", "create table orders (id integer)")
    with pytest.raises(InvalidData, match="There is no table 'ordrs'. Tables: orders. Did you mean 'orders'?"):
        list(source.read(Stream("ordrs"), Window(), None))


def test_unreachable_and_unknown(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"user:\*\*\*@localhost"):
        SqlConnector(url="postgresql://user:sesame-open@localhost:1/x").check()
    with pytest.raises(SpecError, match="is not installed"):
        SqlConnector(url="oracle://u:p@h/x").check()
    with pytest.raises(ConnectError):
        SqlConnector(url=f"sqlite:///{tmp_path}/no/folder.db").check()
