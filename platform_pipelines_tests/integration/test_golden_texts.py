"""Every file of the golden table of text arrives, under a plain and under a hostile environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.reads import open_read
from platform_pipelines.model import Stream, Window
from platform_pipelines_tests.integration import texts_copy
from platform_pipelines_tests.integration.golden_texts import TEXTS, Text
from platform_pipelines_tests.integration.test_golden_values import HOSTILE, PLAIN
from platform_pipelines_tests.locales import PLAIN_MANNERS, TURKISH_MANNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("golden_texts")
NUMBERS = pytest.mark.parametrize("number", range(len(TEXTS)), ids=[text.name for text in TEXTS])


class Copied:
    """What became of each file."""

    def __init__(self, dsn: str, root: Path) -> None:
        self.reports: list[dict[str, Any]] = json.loads((root / "found.json").read_text())
        with psycopg.connect(dsn, client_encoding="utf8") as connection:
            connection.execute("set timezone = 'UTC'")
            self.postgres = [self._postgres(connection, f"p{number}") for number in range(len(TEXTS))]
        with duckdb.connect(str(root / "out.duckdb"), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            self.duckdb = [
                connection.execute(f"select typeof(v), v::varchar from p{number} order by rowid").fetchall()
                for number in range(len(TEXTS))
            ]
        self.parquet = [
            str(
                pa.unify_schemas([pq.read_schema(file) for file in (root / f"lake/p{number}").glob("*.parquet")])
                .field("v")
                .type
            )
            for number in range(len(TEXTS))
        ]

    def _postgres(self, connection: psycopg.Connection, table: str) -> list[tuple[Any, ...]]:
        return connection.execute(
            f"select (select format_type(atttypid, atttypmod) from pg_attribute where attrelid = '{table}'::regclass "
            f"and attname = 'v'), v::text from {table} order by ctid".encode()
        ).fetchall()


@pytest.fixture(scope="module", params=["plain", "hostile"])
def copied(request: pytest.FixtureRequest, postgres_dsn: str) -> Iterator[Copied]:
    name = f"texts_{uuid.uuid4().hex}"
    dsn = postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
    environment, manners = os.environ | PLAIN, PLAIN_MANNERS
    if request.param == "hostile":
        environment, manners = os.environ | HOSTILE | request.getfixturevalue("foreign"), TURKISH_MANNERS
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        command = [sys.executable, "-m", texts_copy.__name__, dsn, folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == list(manners)
        yield Copied(dsn, Path(folder))
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@NUMBERS
def test_every_record_is_loaded_or_rejected_with_its_place(copied: Copied, number: int) -> None:
    text, report = TEXTS[number], copied.reports[number]
    loaded, rejected = len(text.values), len(text.rejected)
    assert report["error"] is None
    assert report["counts"] == [loaded + rejected, rejected, loaded, loaded, loaded]
    assert [reason.replace(f"file.{text.format} line", "file line") for reason in report["rejected"]] == list(
        text.rejected
    )


@NUMBERS
def test_postgres_holds_what_the_table_says(copied: Copied, number: int) -> None:
    text = TEXTS[number]
    assert copied.postgres[number] == [(text.pg, value) for value in text.values]


@NUMBERS
def test_duckdb_and_parquet_hold_what_the_table_says(copied: Copied, number: int) -> None:
    text = TEXTS[number]
    assert copied.duckdb[number] == [(text.duck, value) for value in text.shown or text.values]
    assert copied.parquet[number] == text.arrow


def test_a_file_of_which_nothing_can_be_read_is_named(postgres_database: str, tmp_path: Path) -> None:
    """There is no column to load; it used to end in an error about data frames."""
    report = texts_copy.run_file(postgres_database, tmp_path, "p", Text("", b"{bad\n{worse\n", "", "", "", ()))
    assert report["error"].startswith("None of the 2 records of p could be read, so there is no column to load")
    assert len(report["rejected"]) == 2


@NUMBERS
def test_partitions_read_the_same_values(tmp_path: Path, number: int) -> None:
    """Further windows of one read come from a spooled copy."""
    text = TEXTS[number]
    (tmp_path / f"file.{text.format}").write_bytes(text.content)
    options = TextOptions.model_validate(text.options)
    read = open_read(tmp_path, text.format, options, Stream(f"file.{text.format}"))  # type: ignore[arg-type]
    first = pa.Table.from_batches(list(read.rows(Window())))
    read.spool()
    again = pa.Table.from_batches(list(read.rows(Window())))
    read.close()
    assert again.schema == first.schema
    assert repr(again.to_pylist()) == repr(first.to_pylist())
