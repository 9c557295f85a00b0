from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import ConnectError
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.writer import write_text
from platform_pipelines.model import Feed, Stream, Window
from platform_pipelines.testing.contract import DestinationContract, SourceContract
from platform_pipelines.testing.rows import records

if TYPE_CHECKING:
    from pathlib import Path

_TYPES = {"amount": "decimal(20,4)", "big": "bigint", "born": "date", "active": "boolean"}


class TestParquetSource(SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        pq.write_table(table, tmp_path / "people.parquet")
        return FilesConnector(root=str(tmp_path), format="parquet"), "people.parquet"


class TestCsvSource(SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        write_text(table, tmp_path / "people.csv", "csv", TextOptions())
        return FilesConnector(root=str(tmp_path), format="csv", options={"types": _TYPES}), "people.csv"


class TestJsonLinesSource(SourceContract):
    def make_source(self, tmp_path: Path, table: pa.Table) -> tuple[Any, str]:
        write_text(table, tmp_path / "people.jsonl", "jsonl", TextOptions())
        return FilesConnector(root=str(tmp_path), format="jsonl", options={"types": _TYPES}), "people.jsonl"


class _FilesDestination(DestinationContract):
    format = ""

    def make_destination(self, tmp_path: Path) -> Any:
        return FilesConnector(root=str(tmp_path / "lake"), format=self.format)

    def rows(self, destination: Any, table: str) -> list[dict[str, Any]]:
        return records(list(destination.read(Stream(table), Window(), None)))


class TestParquetDestination(_FilesDestination):
    format = "parquet"


class TestCsvDestination(_FilesDestination):
    format = "csv"


class TestJsonLinesDestination(_FilesDestination):
    format = "jsonl"


@pytest.mark.parametrize("root", ["gs://bucket/x", "s3://bucket/x"])
def test_object_stores_come_later(root: str) -> None:
    with pytest.raises(ValueError, match="come later"):
        FilesConnector(root=root)


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    connector = FilesConnector(root=str(tmp_path / "lake"), format="parquet")
    with pytest.raises(ConnectError, match="cannot be read: Not a directory"):
        connector.offset(Feed("p"), "t")
