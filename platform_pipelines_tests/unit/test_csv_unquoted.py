"""CSV without quotes, and options that no file can follow: refused in plain words, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path


def _lake(root: Path, **options: Any) -> FilesConnector:
    return FilesConnector(root=str(root), format="csv", options=TextOptions(quote="", **options))


def _read(lake: FilesConnector, name: str = "t") -> dict[Any, Any]:
    pages = lake.read(Stream(name), Window(), None)
    return {row["id"]: row["v"] for page in pages for batch in page.batches for row in batch.to_pylist()}


@pytest.mark.parametrize(
    ("value", "options", "says"),
    [
        ("a\tb", {"delimiter": "\t"}, r"The value 'a\tb' of column 'v' holds the delimiter '\t' or a line end"),
        ("a,b", {}, "holds the delimiter ','"),
        ("a\nb", {}, "or a line end"),
        ("a\rb", {}, "or a line end"),
        ("", {}, "The value '' of column 'v' is what stands for NULL ('')"),
        ("NA", {"null_values": ["NA"]}, "is what stands for NULL ('NA')"),
    ],
)  # fmt: skip
def test_what_would_come_back_as_something_else_is_refused(
    tmp_path: Path, value: str, options: dict[str, Any], says: str
) -> None:
    loading = Loading(_lake(tmp_path, **options), "append", "t")
    with pytest.raises(InvalidData) as error:
        loading.load(pa.table({"id": [1, 2], "v": ["x", value]}))
    assert says in str(error.value)
    assert "`options.quote`" in str(error.value)
    assert not list((tmp_path / "t").glob("*.csv"))


def test_a_name_with_the_delimiter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="The column 'a,b' holds the delimiter ','"):
        Loading(_lake(tmp_path), "append", "t").load(pa.table({"a,b": [1]}))


def test_lists_are_refused_by_their_commas(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"The value '\[1,2\]' of column 'v'"):
        Loading(_lake(tmp_path), "append", "t").load(pa.table({"v": [[1, 2]]}))


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_everything_else_comes_back(tmp_path: Path, mode: Any) -> None:
    lake = _lake(tmp_path, delimiter="\t", null_values=["\\N"])
    loading = Loading(lake, mode, "t")
    values = dict(enumerate(["", None, '"', 'a"b', "a,b", "'", " x ", "NA", "é"]))
    loading.load(pa.table({"id": list(values), "v": list(values.values())}))
    loading.load(pa.table({"id": [100], "v": ["more"]}))
    assert _read(lake) == values | {100: "more"}


def test_without_null_values_every_field_is_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,v\n1,\n2,x\n3,NULL\n")
    for options in ({}, {"quoted_nulls": True}, {"delimiter": ","}):
        lake = FilesConnector(root=str(tmp_path), format="csv", options=TextOptions(null_values=[], **options))
        assert _read(lake, "in.csv") == {1: "", 2: "x", 3: "NULL"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"delimiter": '"'}, "`delimiter` and `quote` are both '\"'"),
        ({"delimiter": "\n"}, "`delimiter` cannot be"),
        ({"quote": "\r"}, "`quote` cannot be"),
        ({"null_values": ["a,b"]}, "'a,b' of `null_values` can be no field"),
        ({"null_values": ["\0"]}, "of `null_values` can be no field"),
    ],
)
def test_options_that_no_file_can_follow(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        TextOptions(**options)
    assert says in str(error.value)


def test_text_is_written_in_utf_8_alone() -> None:
    told = FilesConnector.table_problem(
        "t", {"type": "files", "root": "x", "format": "csv", "options": {"encoding": "cp1252"}}
    )
    assert told is not None
    assert "`options` of this connection say cp1252" in told
    for fine in (
        {"format": "parquet", "options": {"encoding": "cp1252"}},
        {"format": "csv", "options": {"encoding": "UTF8"}},
    ):
        assert FilesConnector.table_problem("t", {"type": "files", "root": "x"} | fine) is None
