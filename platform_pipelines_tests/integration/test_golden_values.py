"""Every value of the golden table arrives, under a plain and under a hostile environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.sql.arrow_types import PG_TYPE
from platform_pipelines.testing.loads import Loading
from platform_pipelines_tests.integration import golden_copy
from platform_pipelines_tests.integration.golden import GOLDEN
from platform_pipelines_tests.locales import GERMAN, PLAIN_MANNERS, TURKISH, TURKISH_MANNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("golden")

#: what a process that runs pipelines may find around it, and what may be set for a database
HOSTILE = {
    "TZ": "America/St_Johns",
    "LC_ALL": TURKISH,
    "LANG": TURKISH,
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PGTZ": "Australia/Lord_Howe",
    "PGDATESTYLE": "German",
    "PGCLIENTENCODING": "LATIN1",
}
PLAIN = {"LC_ALL": "C.UTF-8"}
SETTINGS = {
    "timezone": "Asia/Kathmandu",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "LATIN1",
    "search_path": "pg_catalog",
    "lc_monetary": GERMAN,
    "lc_numeric": GERMAN,
    "lc_time": GERMAN,
}
CASES = [
    pytest.param(place, row, id=f"{golden.ddl}={row}")
    for place, golden in enumerate(GOLDEN)
    for row in range(len(golden.values))
]
#: a cast of this type to text takes its spaces off
PADDED = "character(5)"
#: type and texts of a column
Texts = tuple[str, list[str | None]]


class Copied:
    """The tables after all runs, column by column, each row's value as text."""

    def __init__(self, dsn: str, root: Path) -> None:
        places = range(len(GOLDEN))
        with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as self.postgres:
            self.postgres.execute(
                "set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; "
                "set bytea_output = 'hex'; set lc_monetary = 'C'; set extra_float_digits = 1; set search_path = public"
            )
            self.in_postgres: dict[str, list[Texts]] = {
                copy: [golden_copy.postgres_texts(self.postgres, schema, place) for place in places]
                for copy, schema in golden_copy.COPIES.items()
            }
            self.back = [self._cast_back(place) for place in places]
        with duckdb.connect(str(root / "out.duckdb"), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            self.in_duckdb = {
                copy: [golden_copy.duckdb_texts(connection, golden_copy.COPIES[copy], place) for place in places]
                for copy in ("out", "merged")
            }
        self.in_parquet = {
            copy: [golden_copy.parquet_texts(root / "lake" / golden_copy.COPIES[copy], place) for place in places]
            for copy in ("out", "merged")
        }

    def _cast_back(self, place: int) -> list[str | None]:
        """What came back from DuckDB, cast to the type it was."""
        _, texts = self.in_postgres["from_duck"][place]
        cast = f"value::{GOLDEN[place].kind}"
        text = f"textin(bpcharout({cast}))" if GOLDEN[place].kind == PADDED else f"{cast}::text"
        statement = f"select {text} from unnest(%s::text[]) with ordinality each (value, place) order by place"
        return [text for (text,) in self.postgres.execute(statement.encode(), [texts]).fetchall()]


@pytest.fixture(scope="module", params=["plain", "hostile"])
def copied(request: pytest.FixtureRequest, postgres_dsn: str) -> Iterator[Copied]:
    name = f"golden_{uuid.uuid4().hex}"
    dsn = postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        with psycopg.connect(dsn, autocommit=True) as connection:
            golden_copy.fill(connection)
        environment, manners = dict(os.environ) | PLAIN, PLAIN_MANNERS
        if request.param == "hostile":
            environment, manners = os.environ | HOSTILE | request.getfixturevalue("foreign"), TURKISH_MANNERS
            for setting, value in SETTINGS.items():
                server.execute(f"alter database {name} set {setting} to '{value}'".encode())
        command = [sys.executable, "-m", golden_copy.__name__, dsn, folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == list(manners)
        yield Copied(dsn, Path(folder))
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.mark.parametrize(("place", "row"), CASES)
def test_postgres_to_postgres_is_equal_in_text_and_type(copied: Copied, place: int, row: int) -> None:
    """Straight, by merge, and by way of Parquet."""
    for copy in ("out", "merged", "from_lake"):
        kind, texts = copied.in_postgres[copy][place]
        assert (copy, kind, texts[row]) == (copy, GOLDEN[place].kind, GOLDEN[place].values[row].pg)


@pytest.mark.parametrize(("place", "row"), CASES)
def test_duckdb_holds_what_the_table_says(copied: Copied, place: int, row: int) -> None:
    value = GOLDEN[place].values[row]
    expected = value.pg if value.duck is None else value.duck
    for copy, found in copied.in_duckdb.items():
        kind, texts = found[place]
        assert (copy, kind, texts[row]) == (copy, GOLDEN[place].duck, expected)


@pytest.mark.parametrize(("place", "row"), CASES)
def test_parquet_holds_what_the_table_says(copied: Copied, place: int, row: int) -> None:
    value = GOLDEN[place].values[row]
    expected = next(text for text in (value.arrow, value.duck, value.pg) if text is not None)
    for copy, found in copied.in_parquet.items():
        kind, texts = found[place]
        assert (copy, kind, texts[row]) == (copy, GOLDEN[place].arrow, expected)


@pytest.mark.parametrize(("place", "row"), CASES)
def test_nothing_is_lost_on_the_way_back_from_duckdb(copied: Copied, place: int, row: int) -> None:
    expected = GOLDEN[place].values[row].pg
    assert copied.back[place][row] == expected
    if GOLDEN[place].kind == PADDED:  # the cast would pad what came back without
        assert copied.in_postgres["from_duck"][place] == ("text", [*_values(place), *_nulls(place)])


def _values(place: int) -> list[str]:
    return [value.pg for value in GOLDEN[place].values]


def _nulls(place: int) -> list[None]:
    return [None] * (golden_copy.ROWS + 1 - len(GOLDEN[place].values))


@pytest.mark.parametrize("place", range(len(GOLDEN)), ids=[golden.ddl for golden in GOLDEN])
def test_null_stays_null(copied: Copied, place: int) -> None:
    every = [*copied.in_postgres.values(), *copied.in_duckdb.values(), *copied.in_parquet.values()]
    expected = [row >= len(GOLDEN[place].values) for row in range(golden_copy.ROWS + 1)]
    for found in every:
        assert [text is None for text in found[place][1]] == expected


def test_of_xml_the_tests_have_null_alone(postgres_database: str) -> None:
    """Their server is built without it: no value can be made there, and one from elsewhere is refused by name."""
    with (
        psycopg.connect(postgres_database) as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported, match="unsupported XML feature"),
    ):
        connection.execute("select '<a/>'::xml")
    rows = pa.table({"x": ["<a/>", None]}).cast(pa.schema([pa.field("x", pa.string(), metadata={PG_TYPE: b"xml"})]))
    loading = Loading(PostgresConnector(dsn=postgres_database), table="t")
    with pytest.raises(InvalidData, match="unsupported XML feature"):
        loading.load(rows)
    loading.load(rows.slice(1))
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("select x::text, pg_typeof(x)::text from t").fetchall() == [(None, "xml")]


@pytest.mark.usefixtures("foreign")
def test_money_in_plain_numbers_means_the_same_in_every_locale(postgres_database: str) -> None:
    """Read as the locale writes it, 1234.56 was a hundred times as much; what is no plain number still is read so."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set lc_monetary to '{GERMAN}'".encode())
        connection.execute("create table t (one money, many money[])")
    rows = pa.table(
        {"one": ["1234.56", "-7", "1.234,56 €", None], "many": [["1234.56", None], [], ["1.234,56 €"], None]}
    )
    Loading(PostgresConnector(dsn=postgres_database), table="t").load(rows)
    with psycopg.connect(postgres_database) as connection:
        found = connection.execute("select one::numeric::text, many::numeric[]::text from t order by ctid").fetchall()
    assert found == [("1234.56", "{1234.56,NULL}"), ("-7.00", "{}"), ("1234.56", "{1234.56}"), (None, None)]
