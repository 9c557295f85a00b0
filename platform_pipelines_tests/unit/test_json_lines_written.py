"""JSON columns in JSON Lines: the digits of every number arrive, whichever way a line comes to be written."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_line import FORM, line
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.writer import write_text
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path

_EXACT = [
    "12345678901234567890.123456789",
    "1e400",
    "-1E-400",
    "0.1000000000000000055",
    '{"a":[0.1000000000000000055,{"b":12345678901234567890.123456789}],"c":1.10}',
    '[18446744073709551616,-0,-0.0,1e5,1.0,"1.10"]',
    '{"k":1,"k":2.00}',
    r'"\"\\ \/ é \u0000\ud83d\ude00"',
    '{"a":1.10000000000000000001,"s":",]","t":"\\",}"}',
    "{}",
    "true",
]
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("j", pa.string(), metadata={b"pipelines_type": b"json"}),
        pa.field("text", pa.string()),
    ]
)


def _rows(values: dict[int, str | None]) -> pa.Table:
    texts = [f"text {number}" for number in values]
    return pa.table([list(values), list(values.values()), texts], schema=_SCHEMA)


def _written(folder: Path) -> dict[int, str]:
    """The text of each row's JSON in the live files."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text().splitlines():
            head, _, rest = text.partition(',"j":')
            found[int(head.removeprefix('{"id":'))] = rest.rpartition(',"text":')[0]
    return found


def _parsed(text: str) -> Any:
    """Numbers as their text, so that no digit is lost in comparing."""
    return json.loads(text, parse_float=_digits, parse_int=_digits)


def _digits(text: str) -> str:
    return f"number {text}"


@pytest.mark.parametrize("file_format", ["jsonl", "json"])
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_every_digit_arrives(tmp_path: Path, mode: Any, file_format: Any) -> None:
    lake = FilesConnector(root=str(tmp_path), format=file_format)
    loading, values = Loading(lake, mode, "t"), dict(enumerate(_EXACT, 1))
    loading.load(_rows(values))
    assert _written(tmp_path / "t") == values
    loading.load(_rows({100: "1.10"}))
    assert _written(tmp_path / "t") == values | {100: "1.10"}


def test_a_file_that_a_merge_writes_anew_keeps_every_digit(tmp_path: Path) -> None:
    loading, values = Loading(FilesConnector(root=str(tmp_path), format="jsonl"), "merge", "t"), dict(enumerate(_EXACT))
    loading.load(_rows(values))
    loading.load(_rows({0: "0.30"}))
    files = sorted((tmp_path / "t").glob("*~v*.jsonl"))
    assert len(files) == 1
    found = _written(tmp_path / "t")
    assert {n: _parsed(found[n]) for n in values} == {n: _parsed(text if n else "0.30") for n, text in values.items()}


def test_rows_of_a_load_without_the_column_keep_what_they_had(tmp_path: Path) -> None:
    loading, values = Loading(FilesConnector(root=str(tmp_path), format="jsonl"), "merge", "t"), dict(enumerate(_EXACT))
    loading.load(_rows(values))
    loading.load(pa.table({"id": list(values), "text": ["new"] * len(values)}))
    (path,) = (path for path in (tmp_path / "t").glob("*.jsonl") if '"new"' in path.read_text())
    found = {record["id"]: record["j"] for record in map(_parsed, path.read_text().splitlines())}
    assert found == {_digits(str(number)): _parsed(text) for number, text in values.items()}


def test_the_files_connector_reads_every_digit_back(tmp_path: Path) -> None:
    lake = FilesConnector(root=str(tmp_path), format="jsonl")
    values = {n: text for n, text in enumerate(_EXACT) if '"k"' not in text}  # a key that comes twice is refused
    Loading(lake, "append", "t").load(_rows(values))
    pages = lake.read(Stream("t/*.jsonl"), Window(), None)
    found = {row["id"]: row["j"] for page in pages for batch in page.batches for row in batch.to_pylist()}
    assert {n: _parsed(text) for n, text in found.items()} == {n: _parsed(text) for n, text in values.items()}


def test_each_value_stays_on_its_line(tmp_path: Path) -> None:
    Loading(FilesConnector(root=str(tmp_path), format="jsonl"), "append", "t").load(
        _rows({1: '{"a":\r\n [1,\n2]\n}', 2: None, 3: "null"})
    )
    (path,) = (tmp_path / "t").glob("*.jsonl")
    assert [json.loads(text)["j"] for text in path.read_text().splitlines()] == [{"a": [1, 2]}, None, None]


@pytest.mark.parametrize("text", ['{"a":', '"a\nb"', "1,2", '1,"text":2', r'"\ud800"'])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    loading = Loading(FilesConnector(root=str(tmp_path), format="jsonl"), "append", "t")
    with pytest.raises(InvalidData, match=r"Rows cannot be written to .*-0000\.jsonl: .*Malformed JSON"):
        loading.load(_rows({1: text}))
    loading.attempt(_rows({1: "1.10"}))
    assert _written(tmp_path / "t") == {1: "1.10"}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_wherever_the_column_stands_and_whatever_it_is_called(tmp_path: Path, place: int) -> None:
    fields = [pa.field('a "b"', pa.int64()), pa.field("it's", pa.string())]
    values: list[Any] = [[1], ['}",\n']]
    fields.insert(place, pa.field("é \"j' \\", pa.string(), metadata={b"pipelines_type": b"json"}))
    values.insert(place, ["[1.10]"])
    path = tmp_path / "x.jsonl.gz"
    write_text(pa.table(values, schema=pa.schema(fields)), path, "jsonl", TextOptions(compression="gzip"))
    (text,) = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert "[1.10]" in text
    wanted = {field.name: value[0] for field, value in zip(fields, values, strict=True)}
    assert json.loads(text) == wanted | {"é \"j' \\": [1.1]}
    assert list(json.loads(text)) == [field.name for field in fields]


def test_lines_put_together_are_those_that_duckdb_writes(tmp_path: Path) -> None:
    table = pa.table(
        {
            "i": [1, None],
            "exact": pa.array([Decimal("12345678901234567890.123456789"), None], pa.decimal128(38, 9)),
            "double": [0.1, float("nan")],
            "text": ['é "\\\n\x00\x7f', ""],
            "day": [dt.date(2024, 1, 1), dt.date(1, 1, 1)],
            "time": [dt.time(1, 2, 3), None],
            "flag": [True, False],
            "list": [[1, None], None],
            "record": [{"a": "x", "b": [0.1]}, {"a": None, "b": []}],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    theirs, ours = tmp_path / "theirs.jsonl", tmp_path / "ours.jsonl"
    write_text(table, theirs, "jsonl", TextOptions())
    with duckdb.connect() as connection:
        connection.register("written", table)
        connection.execute(f"copy (select {line(table.column_names, ())} from written) to '{ours}' ({FORM})")
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("text", ["[1,]", '{"a":[1,2, ],\n}', '{"a":",]", "b":2}'])
def test_what_only_duckdb_takes_for_json_is_written_as_all_do(tmp_path: Path, text: str) -> None:
    lake = FilesConnector(root=str(tmp_path), format="jsonl")
    loading = Loading(lake, "merge", "t")
    loading.load(_rows({1: text}))
    loading.load(_rows({2: "{}"}))
    assert all(json.loads(each) for path in (tmp_path / "t").glob("*.jsonl") for each in path.read_text().splitlines())
