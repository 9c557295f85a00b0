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


@pytest.mark.parametrize(("value", "null"), [("", "NA"), (None, "")])
def test_a_row_that_would_be_an_empty_line_is_refused(tmp_path: Path, value: str | None, null: str) -> None:
    loading = Loading(_lake(tmp_path, null_values=[null]), "append", "t")
    with pytest.raises(InvalidData, match="A row that has nothing but an empty 'v' would be an empty line"):
        loading.load(pa.table({"v": ["x", value]}))


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


@pytest.mark.parametrize("options", [{"delimiter": "§"}, {"delimiter": "🐘"}, {"quote": "«"}, {"quote": " "}])
def test_what_can_be_read_and_not_written_is_refused_as_a_table(tmp_path: Path, options: dict[str, str]) -> None:
    config = {"type": "files", "root": str(tmp_path), "format": "csv", "options": options}
    assert "CSV is not written with" in (FilesConnector.table_problem("t", config) or "")
    with pytest.raises(InvalidData, match="CSV is not written with"):
        Loading(FilesConnector.model_validate(config), "append", "t").load(pa.table({"v": [" x "]}))
    assert not list((tmp_path / "t").glob("*.csv"))
    assert FilesConnector.table_problem("t", config | {"format": "jsonl"}) is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("broken", ["", '5 "x"y z'])
def test_a_space_that_delimits_ends_an_empty_field(tmp_path: Path, ending: str, broken: str) -> None:
    lines = ["id v w", "1 a b", '2  "x y"', '3 " z" q', '4 "" ""', *([broken] if broken else [])]
    (tmp_path / "in.csv").write_bytes("".join(line + ending for line in lines).encode())
    lake = FilesConnector(root=str(tmp_path), format="csv", options=TextOptions(delimiter=" "))
    pages = list(lake.read(Stream("in.csv"), Window(), None))
    rows = [tuple(row.values()) for page in pages for batch in page.batches for row in batch.to_pylist()]
    assert rows == [(1, "a", "b"), (2, None, "x y"), (3, " z", "q"), (4, "", "")]
    assert sum(len(page.rejected) for page in pages) == bool(broken)


def test_values_that_print_as_another_null_are_told_from_it(tmp_path: Path) -> None:
    lake = FilesConnector(root=str(tmp_path), format="csv", options=TextOptions(null_values=["", "0", "true", "nan"]))
    rows = {"id": [0, 1], "f": [True, None], "d": [0.5, None], "v": ["0", None]}
    Loading(lake, "append", "t").load(pa.table(rows))
    pages = lake.read(Stream("t"), Window(), None)
    assert [b.to_pydict() for page in pages for b in page.batches] == [rows]


def test_a_name_with_a_carriage_return_is_refused_in_a_header(tmp_path: Path) -> None:
    lake = FilesConnector(root=str(tmp_path), format="csv")
    with pytest.raises(InvalidData, match="holds a carriage return"):
        Loading(lake, "append", "t").load(pa.table({"id": [1], "a\rb": [1]}))
    bare = FilesConnector(root=str(tmp_path), format="csv", options=TextOptions(header=False))
    Loading(bare, "append", "bare").load(pa.table({"id": [1], "a\rb": [2]}))
    assert [b.to_pylist() for b in bare.holds("bare", ["a\rb"], None)] == [[{"a\rb": 2}]]


def test_an_empty_text_alone_in_its_row_is_a_row(tmp_path: Path) -> None:
    lake = FilesConnector(root=str(tmp_path), format="csv", options=TextOptions(null_values=["NA"]))
    Loading(lake, "append", "t").load(pa.table({"v": ["a", None, "", "b"]}))
    pages = lake.read(Stream("t"), Window(), None)
    assert [b.to_pydict() for page in pages for b in page.batches] == [{"v": ["a", None, "", "b"]}]


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
