"""What a table's own text files give back: every value that was written to them, or an error."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines import duck
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.folder_manifest import read_manifest
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.own_text import typed_copy
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import Feed
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FAR = ["'3000-01-01'", "'0001-01-01'", "'infinity'", "'-infinity'", "'0044-03-15 (BC)'"]
#: SQL of values, by type; NULL is added to each
_VALUES = {
    "varchar": ["''", "'NULL'", "'a\rb'", "'x\ny'", "'\"'", "' '", "'\t'", "'é'", r"'\N'", "'1e5'", "'a,b'", "'\"\"'"],
    "boolean": ["true", "false"],
    "tinyint": ["-128"],
    "integer": ["2147483647"],
    "ubigint": ["18446744073709551615", "0"],
    "hugeint": ["170141183460469231731687303715884105727", "-170141183460469231731687303715884105727", "-1"],
    "decimal(38,10)": ["-9999999999999999999999999999.9999999999", "0", "12345678901234567.1234567891"],
    "float": ["0.1", "3.4028235e38", "1e-45", "'nan'", "'-inf'"],
    "double": ["0.1", "1e-320", "1.7976931348623157e308", "'-0.0'", "'nan'", "'inf'", "'-inf'"],
    "date": ["'infinity'", "'-infinity'", "'0001-01-01'", "'12000-01-01'", "'0044-03-15 (BC)'"],
    "timestamp": ["'infinity'", "'-infinity'", "'99999-01-01'", "'1969-12-31 23:59:59.999999'", "'0044-03-15 (BC)'"],
    "timestamptz": ["'infinity'", "'20000-01-01 00:00:00+00'", "'2024-01-01 00:00:00.000001+00'"],
    "timestamp_ns": ["'infinity'", "'2024-01-01 00:00:00.000000001'", "'2024-01-01 00:00:00.1'"],
    "timestamp_ms": ["'2024-01-01 00:00:01.5'", "'9999-12-31 23:59:59.999'", *_FAR],
    "time": ["'23:59:59.999999'", "'24:00:00'"],
    "blob": [r"'\x00\xFF'", "''"],
    "integer[]": ["[1, null]", "[]"],
    "ubigint[]": ["[18446744073709551615]"],
    "varchar[]": ["['a,b', '\"', null, '', 'null', '1.10', 'x\ny']", "[null]"],
    "double[]": ["['inf'::double, 'nan'::double, 1]"],
    "integer[][]": ["[[1], [], null]"],
    "blob[]": [r"['\x00\xFF'::blob, '\x22'::blob]"],
    "decimal(38,10)[]": ["[-9999999999999999999999999999.9999999999]"],
    "hugeint[]": ["[170141183460469231731687303715884105727]"],
    "integer[2]": ["[1, 2]"],
    'struct(a double, "b c" varchar)': ["{'a': 'nan', 'b c': 'NaN'}", "{'a': 1, 'b c': null}"],
    "struct(a timestamptz, b date, c time, d timestamp, e float)": [
        "{'a': '2024-01-01 00:00:00.1+00', 'b': 'infinity', 'c': '01:00', 'd': '0044-03-15 (BC)', 'e': 0.1}"
    ],
    "struct(a timestamp_ms, b timestamp_ms[])": ["{'a': 'infinity', 'b': ['0001-01-01', '3000-01-01']}"],
    "map(varchar, integer)": ["map{'a': 1, 'b': null}", "map{}"],
    "map(integer, double)": ["map{1: 'nan'::double}"],
    "map(date, struct(a integer[]))": ["map{'2024-01-01'::date: {'a': [1, null]}}"],
}


def _column(sql_type: str, values: list[str]) -> pa.Table:
    rows = ", ".join(f"({number}, ({value})::{sql_type})" for number, value in enumerate([*values, "null"]))
    with duck.session() as connection:
        return connection.execute(f"select * from (values {rows}) as v(id, c)").to_arrow_table()


def _held(folder: Path, options: TextOptions) -> pa.Table:
    """The live rows as a merge sees them."""
    manifest, workspace = read_manifest(folder), Workspace()
    try:
        return pa.concat_tables(
            [pq.read_table(typed_copy(file, folder, manifest, options, workspace)) for file in manifest.files]
        )
    finally:
        workspace.close()


def _text(table: pa.Table) -> list[tuple[Any, ...]]:
    with duck.session() as connection:
        connection.register("held", table)
        return connection.execute("select id, c::varchar, c is null from held order by id").fetchall()


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
@pytest.mark.parametrize("sql_type", _VALUES)
def test_a_merge_keeps_every_value_as_it_was(tmp_path: Path, sql_type: str, file_format: Any) -> None:
    lake = FilesConnector(root=str(tmp_path), format=file_format)
    table, nothing = _column(sql_type, _VALUES[sql_type]), _column(sql_type, [])
    loading, mine = Loading(lake, "merge", "t"), Loading(lake, "merge", "t", Feed("mine"))
    loading.load(table)
    mine.load(_numbered(nothing, -1))
    before = _held(tmp_path / "t", lake.options)
    assert before.schema.field("c").type == table.schema.field("c").type
    assert _text(before) == [(-1, None, True), *_text(table)]
    mine.load(_numbered(nothing, 0))  # takes the first row from the other file, which is written anew
    assert _text(_held(tmp_path / "t", lake.options)) == [(-1, None, True), (0, None, True), *_text(table)[1:]]


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_json_and_columns_of_nothing_but_null_stay_what_they_are(tmp_path: Path, file_format: Any) -> None:
    json = pa.field("j", pa.string(), metadata={b"pipelines_type": b"json"})
    nothing = [pa.field("n", pa.null()), pa.field("l", pa.list_(pa.null())), pa.field("f", pa.float32())]
    schema = pa.schema([pa.field("id", pa.int64()), json, *nothing])
    texts = ['{"a":[1.5,"x",true,null],"é":{}}', '"x"', "[1,2]", None]
    values = [[1, 2, 3, 4], texts, [None] * 4, [[None], [], None, []], [0.1] * 4]
    loading = Loading(FilesConnector(root=str(tmp_path), format=file_format), "merge", "t")
    loading.load(pa.table(values, schema=schema))
    loading.load(pa.table([[4], [None], [None], [[]], [0.1]], schema=schema))
    held = sorted(_held(tmp_path / "t", TextOptions()).to_pylist(), key=lambda row: row["id"])
    assert held == pa.table(values, schema=schema).to_pylist()


def _numbered(table: pa.Table, number: int) -> pa.Table:
    return table.set_column(0, "id", pa.array([number], table.schema.field("id").type))


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_how_strangers_write_says_nothing_of_what_was_written_here(tmp_path: Path, file_format: Any) -> None:
    options = TextOptions(
        encoding="latin-1",
        types={"c": "varchar", "d": "varchar"},
        date_format="%d.%m.%Y",
        timestamp_format="%d.%m.%Y",
        null_values=("NA", "7", "é"),
    )
    table = pa.table({"id": [1, 2, 7], "c": ["é", "NA", "7"], "d": [dt.date(2024, 1, 2), None, None]})
    lake = FilesConnector(root=str(tmp_path), format=file_format, options=options)
    loading = Loading(lake, "merge", "t")
    loading.load(table)
    loading.load(pa.table({"id": [3], "c": ["x"], "d": [dt.date(2024, 1, 3)]}))
    held = sorted(_held(tmp_path / "t", options).to_pylist(), key=lambda row: row["id"])
    assert [row for row in held if row["id"] != 3] == table.to_pylist()


@pytest.mark.parametrize(
    ("file_format", "damage", "wanted"),
    [
        ("jsonl", ('"b"', '"b'), "line 2, cannot be read"),
        ("jsonl", ('"b"', '"b","c":"d"'), "line 2, cannot be read: it is no object with the keys of the first line"),
        ("jsonl", ('{"id":2,"c":"b"}\n', ""), "holds 1 records that can be read, and 2 were written to it"),
        ("jsonl", ('"id":2', '"id":"two"'), "records 1 to 2, cannot be read: Conversion Error: .*'two'"),
        ("csv", ("2,b", "2,b,c"), "holds 1 records that can be read, and 2 were written to it"),
        ("csv", ("2,b", "two,b"), "records 1 to 2, cannot be read: Conversion Error: .*'two'"),
    ],
)
def test_a_record_that_cannot_be_read_stops_the_merge(
    tmp_path: Path, file_format: Any, damage: tuple[str, str], wanted: str
) -> None:
    loading = Loading(FilesConnector(root=str(tmp_path), format=file_format), "merge", "t")
    loading.load(pa.table({"id": [1, 2], "c": ["a", "b"]}))
    (path,) = (tmp_path / "t").glob(f"*.{file_format}")
    damaged = path.read_text().replace(*damage)
    path.write_text(damaged)
    with pytest.raises(InvalidData, match=wanted) as caught:
        loading.load(pa.table({"id": [1], "c": ["c"]}))
    assert str(path) in str(caught.value)
    assert path.read_text() == damaged
    with pytest.raises(InvalidData, match=wanted):
        list(loading.destination.holds("t", ["id"], None))


@pytest.mark.parametrize(
    ("sql_type", "damage", "wanted"),
    [
        ("integer[]", ("[1,2]", "[1,2"), "column 'c', cannot be read"),
        ("struct(a integer)", ('{""a"":1}', "[1]"), r"column 'c', cannot be read: '\[1\]' is no struct"),
    ],
)
def test_a_nested_field_that_cannot_be_read_is_named(
    tmp_path: Path, sql_type: str, damage: tuple[str, str], wanted: str
) -> None:
    loading = Loading(FilesConnector(root=str(tmp_path), format="csv"), "merge", "t")
    loading.load(_column(sql_type, ["[1, 2]" if "[]" in sql_type else "{'a': 1}"]))
    (path,) = (tmp_path / "t").glob("*.csv")
    path.write_text(path.read_text().replace(*damage))
    with pytest.raises(InvalidData, match=wanted):
        loading.load(_column(sql_type, []))


def test_what_holds_a_table_s_rows_gives_every_value(tmp_path: Path) -> None:
    lake = FilesConnector(root=str(tmp_path), format="jsonl")
    Loading(lake, "append", "t").load(_column("double", ["'inf'", "0.1"]))
    held = _records(lake.holds("t", ["c", "unknown"], None))
    assert held == [{"c": float("inf")}, {"c": 0.1}, {"c": None}]


def _records(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]
