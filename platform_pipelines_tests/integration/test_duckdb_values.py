"""What DuckDB alone makes of names and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Feed, Load, Mode, Offset, Stream, Window

if TYPE_CHECKING:
    from pathlib import Path


def _load(path: Path, rows: pa.Table, table: str, mode: Mode = "merge", number: int = 1) -> None:
    offset, previous = Offset(1, number), Offset(1, number - 1) if number > 1 else None
    load = Load(Feed("p"), table, mode, rows.schema, offset, rows.num_rows, "pt", ("id",), previous=previous)
    DuckDBConnector(path=path).load(load, rows.to_reader())


@pytest.mark.parametrize("schema", ["raw", "RAW", "memory", "system", "temp", "main"])
@pytest.mark.parametrize("file", ["raw.duckdb", "memory.db"])
def test_a_schema_may_be_named_like_its_file(tmp_path: Path, file: str, schema: str) -> None:
    """DuckDB takes the first part of `raw.t` in `raw.duckdb` for the database."""
    path, table = tmp_path / file, f"{schema}.t"
    _load(path, pa.table({"id": [1]}), table)
    _load(path, pa.table({"id": [1, 2], "v": ["a", "b"]}), table, number=2)
    connector = DuckDBConnector(path=path)
    assert connector.offset(Feed("p"), table) == Offset(1, 2)
    (page,) = connector.read(Stream(table), Window(), None)
    assert page.batches[0].to_pylist() == [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
    assert [stream.name for stream in connector.streams()] == [table]


def test_columns_that_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    """DuckDB does not tell them apart; nothing is loaded into the wrong one."""
    with pytest.raises(InvalidData, match="'Name' and 'name' differ in case alone"):
        _load(tmp_path / "w.duckdb", pa.table({"id": [1], "Name": ["a"], "name": ["b"]}), "raw.t")


def test_json_with_a_lone_surrogate_is_refused_by_name(tmp_path: Path) -> None:
    """Documented: PostgreSQL's json takes it, DuckDB's does not."""
    field = pa.field("doc", pa.string(), metadata={b"pg_type": b"json"})
    schema = pa.schema([pa.field("id", pa.int64()), field])
    path = tmp_path / "w.duckdb"
    with pytest.raises(InvalidData, match=r"Malformed JSON.*surrogate.*column doc"):
        _load(path, pa.table([[1], ['"\\ud800"']], schema=schema), "raw.t")
    _load(path, pa.table([[1], ['"\\ud83d\\udc18"']], schema=schema), "raw.t")
    with duck.connect(path) as connection:
        assert connection.execute("select doc ->> '$' from raw.t").fetchall() == [("🐘",)]
