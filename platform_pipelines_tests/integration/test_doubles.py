"""Integers that arrive for a column of doubles: put in where they are exact, refused where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.errors import SchemaDrift
from platform_pipelines.model import Feed, Load, Offset, Stream, Window

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.connectors.base import Connector

FEED = Feed("p")


@pytest.fixture(params=["duckdb", "postgres"])
def connector(request: pytest.FixtureRequest, tmp_path: Path) -> Connector:
    if request.param == "duckdb":
        return DuckDBConnector(path=tmp_path / "w.duckdb")
    return PostgresConnector(dsn=request.getfixturevalue("postgres_database"))


def load(connector: Connector, rows: pa.Table, sequence: int) -> None:
    previous = Offset(1, sequence - 1) if sequence > 1 else None
    order = Load(FEED, "t", "append", rows.schema, Offset(1, sequence), rows.num_rows, "pt-1", previous=previous)
    connector.load(order, rows.to_reader())  # type: ignore[attr-defined]


def test_exact_integers_fit_into_doubles(connector: Connector) -> None:
    load(connector, pa.table({"v": [1.5]}), 1)
    load(connector, pa.table({"v": pa.array([1, None, -(2**53)], pa.int64())}), 2)
    pages = connector.read(Stream("t"), Window(), None)  # type: ignore[attr-defined]
    values = [value for page in pages for batch in page.batches for value in batch.column("v").to_pylist()]
    assert sorted(values, key=str) == sorted([1.5, 1.0, None, -float(2**53)], key=str)


def test_integers_a_double_would_round_are_refused(connector: Connector) -> None:
    load(connector, pa.table({"v": [1.5]}), 1)
    with pytest.raises(SchemaDrift, match="holds doubles, which would round the integer 9007199254740993"):
        load(connector, pa.table({"v": [2**53 + 1]}), 2)
    assert connector.offset(FEED, "t") == Offset(1, 1)  # type: ignore[attr-defined]
