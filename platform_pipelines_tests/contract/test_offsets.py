"""Destinations that tell the offsets of all feeds of a pipeline at once tell what they say of each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from platform_pipelines.connectors.base import OffsetLister
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.model import Feed
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import versions

OWN = [Feed("people"), Feed("people", "eu"), Feed("people", "it's 100%_/x"), Feed("people", "é")]
OTHERS = [Feed("people2"), Feed("people2", "eu"), Feed("peopl_", "eu"), Feed("People", "eu")]


@pytest.fixture(params=["duckdb", "files", "postgres"])
def connector(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "postgres":
        return PostgresConnector(dsn=request.getfixturevalue("postgres_database"))
    if request.param == "files":
        return FilesConnector(root=str(tmp_path / "lake"), format="parquet")
    return DuckDBConnector(path=str(tmp_path / "w.duckdb"))


def test_offsets_of_all_feeds_of_a_pipeline(connector: Any) -> None:
    assert isinstance(connector, OffsetLister)
    assert connector.offsets("people", "raw.t") == {}
    for number, feed in enumerate((*OWN, *OTHERS)):
        loading = Loading(connector, "append", "raw.t", feed)
        for _ in range(1 + number % 2):
            loading.load(versions((number, "a", 1)))
    Loading(connector, "append", "raw.other", Feed("people", "elsewhere")).load(versions((1, "a", 1)))
    told = connector.offsets("people", "raw.t")
    assert told == {feed.id: connector.offset(feed, "raw.t") for feed in OWN}
    assert {offset.sequence for offset in told.values()} == {1, 2}
    assert connector.offsets("people", "raw.third") == {}


def drop(connector: Any) -> None:
    """Drop the table behind the connector's back."""
    if isinstance(connector, PostgresConnector):
        import psycopg

        with psycopg.connect(connector.dsn.get_secret_value(), autocommit=True) as connection:
            connection.execute("drop table raw.t")
    elif isinstance(connector, DuckDBConnector):
        with duckdb.connect(str(connector.path)) as opened:
            opened.execute("drop table raw.t")
    else:
        shutil.rmtree(Path(str(connector.root)) / "raw.t")


def test_who_drops_a_table_drops_what_every_feed_had_loaded(connector: Any) -> None:
    """Else the next load would make a table of its new rows alone, and all that was there before would be missing."""
    eu, us, other = Feed("people", "eu"), Feed("people", "us"), Feed("animals")
    for number, feed in enumerate((eu, us, other)):
        Loading(connector, "append", "raw.t", feed).load(versions((number, "a", 1)))
    beside = Loading(connector, "append", "raw.beside", eu)
    beside.load(versions((1, "a", 1)))
    drop(connector)
    assert connector.offset(eu, "raw.t") is None
    assert connector.offsets("people", "raw.t") == {}
    Loading(connector, "append", "raw.t", eu).load(versions((7, "b", 1)))
    assert [connector.offset(feed, "raw.t") is None for feed in (eu, us, other)] == [False, True, True]
    assert set(connector.offsets("people", "raw.t")) == {eu.id}
    assert connector.offset(eu, "raw.beside") is not None
    Loading(connector, "append", "raw.t", us).load(versions((8, "b", 1)))
    assert set(connector.offsets("people", "raw.t")) == {eu.id, us.id}
