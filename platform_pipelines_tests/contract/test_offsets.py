"""Destinations that tell the offsets of all feeds of a pipeline at once tell what they say of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.base import OffsetLister
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.model import Feed
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import versions

if TYPE_CHECKING:
    from pathlib import Path

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
