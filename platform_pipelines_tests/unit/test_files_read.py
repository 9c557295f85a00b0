"""What the files source makes of text: types, NULLs, rejected records, archives, windows."""

from __future__ import annotations

import datetime as dt
import gzip
import tempfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import CursorError, InvalidData, SchemaDrift, SpecError
from platform_pipelines.formats import csv_pieces, text_read
from platform_pipelines.model import Stream, TimeSlice, Window
from platform_pipelines.testing.rows import records

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.unit.drop import Drop


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        (["1", "2"], "int64"),
        (["00123", "45"], "string"),
        (["+1", "2"], "string"),
        (["-0", "1"], "double"),
        (["9223372036854775807", "-9223372036854775808"], "int64"),
        (["9223372036854775808", "1"], "decimal128(38, 0)"),
        (["9" * 39, "1"], "string"),
        (["1.10", "2"], "double"),
        (["0.1234567890123456789", "2"], "string"),
        (["0.30000000000000004", "1e300"], "double"),
        (["1e400", "1"], "string"),
        (["nan", "1"], "string"),
        (["1_000", "2"], "string"),
        (["0x10", "2"], "string"),
        (["2020-01-31", "2020-02-29"], "date32[day]"),
        (["2020-02-30", "2020-02-29"], "string"),
        (["2020-01-31 10:00:00", "2020-01-31"], "timestamp[us]"),
        (["2020-01-31T10:00:00.123456789", "2020-01-31"], "timestamp[ns]"),
        (["2020-01-31T10:00:00Z", "2020-01-31 10:00:00.5+02:00"], "timestamp[us, tz=UTC]"),
        (["2020-01-31T10:00:00Z", "2020-01-31T10:00:00"], "string"),
        (["true", "FALSE"], "bool"),
        (["yes", "no"], "string"),
        (["", ""], "string"),
    ],
)
def test_types_are_inferred_from_all_values(drop: Drop, values: list[str], arrow: str) -> None:
    drop.put("a.csv", ("id,v\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values))).encode())
    drop.read("a.csv")
    assert drop.types["v"] == arrow


def test_a_value_far_down_decides_too(drop: Drop) -> None:
    drop.put("a.csv", b"v\n" + b"12\n" * 30_000 + b"007\n")
    rows, rejected = drop.read("a.csv")
    assert drop.types["v"] == "string"
    assert rows[-1] == {"v": "007"}
    assert not rejected


def test_null_empty_and_na(drop: Drop) -> None:
    drop.put("a.csv", b'id,v\n1,\n2,""\n3,NA\n4,"NA"\n')
    assert [r["v"] for r in drop.read("a.csv")[0]] == [None, "", "NA", "NA"]
    assert [r["v"] for r in drop.read("a.csv", null_values=["", "NA"])[0]] == [None, "", None, "NA"]
    assert [r["v"] for r in drop.read("a.csv", null_values=["", "NA"], quoted_nulls=True)[0]] == [None] * 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'a,b\n1,"x, ""y""\nz"\n', [{"a": 1, "b": 'x, "y"\nz'}]),
        (b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (b"a,b\n1,x\n\n2,y\n\n", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (b"a,b\r\n1,x\n2,y\r\n", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (b"a\n\nx\n", [{"a": None}, {"a": "x"}]),
        (b"a,b\n", []),
        (b"", []),
    ],
)
def test_shapes_of_csv(drop: Drop, content: bytes, expected: list[dict[str, Any]]) -> None:
    drop.put("a.csv", content)
    assert drop.read("a.csv") == (expected, [])


def test_malformed_records_are_rejected_by_line(drop: Drop) -> None:
    drop.put("a.csv", b'id,v\n1,2\n2\n3,4,5\n4,\xff\n5,"x"y\n6,"open\n7,8\n')
    rows, rejected = drop.read("a.csv")
    assert rows == [{"id": 1, "v": 2}, {"id": 7, "v": 8}]
    assert rejected == [
        "a.csv line 3: 1 fields where the header has 2.",
        "a.csv line 4: 3 fields where the header has 2.",
        "a.csv line 5: byte 3 of the record, 0xff, is not valid UTF-8.",
        "a.csv line 6: text follows a closing quote.",
        "a.csv line 7: a quoted field is not closed.",
    ]


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_files_are_read_in_order_however_many_are_opened_at_a_time(
    drop: Drop, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """A value that fits no guess, records that are none, and files that hold nothing lie in different pieces."""
    monkeypatch.setattr(csv_pieces, "_FILES", at_once)
    for number in range(12):
        drop.put(f"{number:02d}.csv", f"id,v\n{number},1\n".encode())
    drop.put("01.csv", b"id,v\n")
    for number in (3, 4, 8, 11):
        drop.put(f"{number:02d}.csv", f'id,v\n{number}\n{number},"x"y\n{number},2.5\n'.encode())
    rows, rejected = drop.read("*.csv")
    assert [row["id"] for row in rows] == [0, *range(2, 12)]
    assert {row["v"] for row in rows if row["id"] in {3, 4, 8, 11}} == {2.5}
    assert [reason.split(":")[0] for reason in rejected] == [
        f"{number:02d}.csv line {line}" for number in (3, 4, 8, 11) for line in (2, 3)
    ]


_LANDED = pa.schema([("id", pa.int64()), ("v", pa.int64())])


def test_misfits_with_landed_types_are_rejected(drop: Drop) -> None:
    drop.put("a.csv", b'id,v\n1,2\n2,1.5\n3,"007"\n')
    rows, rejected = drop.read("a.csv", expected=_LANDED, changes="reject")
    assert rows == [{"id": 1, "v": 2}]
    assert rejected == [
        "a.csv line 3, column 'v': '1.5' is not a value of BIGINT (as landed before).",
        "a.csv line 4, column 'v': '007' is not a value of BIGINT (as landed before).",
    ]


def test_types_widen_where_nothing_is_lost(drop: Drop) -> None:
    drop.put("a.csv", b"id,v\n1,2\n2,1.5\n3,abc\n9223372036854775808,1\n")
    rows, rejected = drop.read("a.csv", expected=_LANDED)
    assert drop.types == {"id": "decimal128(38, 0)", "v": "decimal128(38, 2)"}
    assert [r["v"] for r in rows] == [Decimal(2), Decimal("1.5"), Decimal(1)]
    assert rejected == ["a.csv line 4, column 'v': 'abc' is not a value of DECIMAL(38,2) (as landed before)."]


def test_drift_fails_where_the_contract_says_so(drop: Drop) -> None:
    drop.put("a.csv", b"id,v\n1,1.5\n")
    with pytest.raises(SchemaDrift, match=r"Column 'v' was landed as BIGINT, but a.csv holds '1.5'"):
        drop.read("a.csv", expected=_LANDED, changes="fail")


def test_declared_types_win(drop: Drop) -> None:
    drop.put("a.csv", b"id,v,d\n1, 007 ,31/12/2020\n2,x,01/01/2021\n")
    rows, rejected = drop.read(
        "a.csv", expected=_LANDED, types={"id": "string", "v": "int", "d": "date"}, date_format="%d/%m/%Y"
    )
    assert rows == [{"id": "1", "v": 7, "d": dt.date(2020, 12, 31)}]
    assert rejected == ["a.csv line 3, column 'v': 'x' is not a value of INTEGER (as declared)."]


def test_decimals_are_not_rounded_into_a_declared_scale(drop: Drop) -> None:
    drop.put("a.csv", b"v\n1.10\n1.005\n")
    rows, rejected = drop.read("a.csv", types={"v": "decimal(10,2)"})
    assert rows == [{"v": Decimal("1.10")}]
    assert rejected == ["a.csv line 3, column 'v': '1.005' is not a value of DECIMAL(10,2) (as declared)."]


def test_unknown_types_and_options_are_refused(drop: Drop) -> None:
    drop.put("a.csv", b"v\n1\n")
    with pytest.raises(SpecError, match="'strng' of column 'v' is not a SQL type"):
        drop.read("a.csv", types={"v": "strng"})
    connector = FilesConnector(root=str(drop.folder), format="csv")
    with pytest.raises(SpecError, match=r"`source.options.delimeter` of stream 'a.csv'"):
        list(connector.read(Stream("a.csv", {"delimeter": ";"}), Window(), None))


def test_files_of_a_glob_are_united_by_name(drop: Drop) -> None:
    drop.put("in/b.csv", b"id,extra\n2,x\n")
    drop.put("in/a.csv", b"id\n1\n")
    drop.put("in/.hidden.csv", b"id\n9\n")
    expected = [{"id": 1, "extra": None}, {"id": 2, "extra": "x"}]
    assert drop.read("in/*.csv")[0] == expected
    assert drop.read("in")[0] == expected


def test_latin_1_and_other_dialects(drop: Drop) -> None:
    drop.put("a.csv", "id;v\n1;'é;'''\n".encode("latin-1"))
    assert drop.read("a.csv", encoding="latin-1", delimiter=";", quote="'")[0] == [{"id": 1, "v": "é;'"}]
    drop.put("b.csv", b"1\tx\n")
    assert drop.read("b.csv", delimiter="\t", header=False, names=["id", "v"])[0] == [{"id": 1, "v": "x"}]


def test_a_missing_file_is_named_with_its_neighbours(drop: Drop) -> None:
    drop.put("flights.csv", b"id\n1\n")
    with pytest.raises(InvalidData, match=r"No file matches 'fligths\*\.csv' under .*Near matches: flights.csv"):
        drop.read("fligths*.csv")


def test_headers_that_name_a_column_twice_are_refused(drop: Drop) -> None:
    drop.put("a.csv", b"id,ID\n1,2\n")
    with pytest.raises(InvalidData, match="a.csv: the header names the column 'ID' twice"):
        drop.read("a.csv")


def test_json_lines(drop: Drop) -> None:
    drop.put(
        "a.jsonl",
        b'{"n": 9223372036854775807, "f": 1.5, "s": {"a": 1, "b": ["x"]}, "m": 1, "t": "2020-01-01T00:00:00Z"}\n'
        b'{"n": null, "f": 2, "s": {"c": 0.5}, "m": "q", "z": "007"}\n\n'
        b'{"a": 1, "a": 2}\n{"a": \n{"a": "\\ud800"}\n[1]\n{"a": NaN}\n{"a": "\xff"}\n',
    )
    rows, rejected = drop.read("a.jsonl")
    assert rows[0]["n"] == 9223372036854775807
    assert [r["s"] for r in rows] == [{"a": 1, "b": ["x"], "c": None}, {"a": None, "b": None, "c": 0.5}]
    assert [r["m"] for r in rows] == ["1", '"q"']
    assert drop.types["t"] == "timestamp[us, tz=UTC]"
    assert rows[1]["z"] == "007"
    assert [reason.split(":")[0] for reason in rejected] == [f"a.jsonl line {n}" for n in range(4, 10)]
    assert "the key 'a' stands twice" in rejected[0]


def test_json_keeps_numbers_to_the_digit(drop: Drop) -> None:
    drop.put(
        "a.json",
        b'[{"big": 18446744073709551616, "f": 0.1234567890123456789, "s": {"x": 12345678901234567890}},\n{"f": 1}]',
    )
    rows, _ = drop.read("a.json")
    assert rows[0] == {
        "big": Decimal(18446744073709551616),
        "f": "0.1234567890123456789",
        "s": '{"x":12345678901234567890}',
    }


def test_a_cut_off_json_document_is_refused(drop: Drop) -> None:
    drop.put("a.json", b'[{"a": 1},\n {"a": 2')
    with pytest.raises(InvalidData, match="a.json line 2: the document is cut off"):
        drop.read("a.json")


def test_nested_columns_grow_new_fields(drop: Drop) -> None:
    landed = pa.schema([("s", pa.struct([("x", pa.int64())]))])
    drop.put("a.jsonl", b'{"s": {"x": 1, "y": "new"}}\n')
    assert drop.read("a.jsonl", expected=landed) == ([{"s": {"x": 1, "y": "new"}}], [])
    drop.put("b.jsonl", b'{"s": {"x": "one"}}\n{"s": {"x": 2}}\n')
    rows, rejected = drop.read("b.jsonl", expected=landed)
    assert rows == [{"s": {"x": 2}}]
    assert "line 1, column 's'" in rejected[0]


def _month(month: int) -> Window:
    return Window(
        partition=TimeSlice(
            "t", dt.datetime(2020, month, 1, tzinfo=dt.UTC), dt.datetime(2020, month + 1, 1, tzinfo=dt.UTC)
        )
    )


def test_partitions_are_parsed_once(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.put("a.csv", b"id,t\n1,2020-01-05\n2,2020-02-05\n")
    parsed = []
    original = text_read.TextRead.spool
    monkeypatch.setattr(text_read.TextRead, "spool", lambda self: (parsed.append(self), original(self)))
    connector = FilesConnector(root=str(drop.folder), format="csv")
    found = [records(list(connector.read(Stream("a.csv"), _month(m), None))) for m in (1, 2, 3)]
    assert [[r["id"] for r in rows] for rows in found] == [[1], [2], []]
    assert len({id(read) for read in parsed}) == 1
    drop.put("a.csv", b"id,t\n1,2020-01-05\n2,2020-02-05\n3,2020-03-05\n")
    assert [r["id"] for r in records(list(connector.read(Stream("a.csv"), _month(3), None)))] == [3]


def test_types_landed_by_the_first_partition_are_no_reason_to_parse_again(
    drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop.put("a.csv", b"id,t,n\n1,2020-01-05,\n2,2020-02-05,\n")
    parsed = []
    original = text_read.TextRead.spool
    monkeypatch.setattr(text_read.TextRead, "spool", lambda self: (parsed.append(self), original(self)))
    connector = FilesConnector(root=str(drop.folder), format="csv")
    first = list(connector.read(Stream("a.csv"), _month(1), None))
    landed = first[0].batches[0].schema
    again = list(connector.read(Stream("a.csv", expected=landed), _month(2), None))
    assert [r["id"] for r in records(again)] == [2]
    assert len({id(read) for read in parsed}) == 1
    other = landed.set(0, pa.field("id", pa.float64()))
    assert records(list(connector.read(Stream("a.csv", expected=other), _month(2), None)))[0]["id"] == 2.0
    assert len({id(read) for read in parsed}) == 2


def test_rejected_records_go_to_the_partition_that_their_fields_name(drop: Drop) -> None:
    drop.put("a.csv", b"id,t\nx,2020-01-05\ny,2020-02-05\n3,oops\n4,2020-02-06\n")
    types = {"id": "bigint", "t": "date"}
    rows, rejected = drop.read("a.csv", _month(2), types=types)
    assert [r["id"] for r in rows] == [4]
    assert rejected == [
        "a.csv line 3, column 'id': 'y' is not a value of BIGINT (as declared).",
        "a.csv line 4, column 't': 'oops' is not a value of DATE (as declared).",
    ]


def test_temporary_files_are_removed(drop: Drop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    drop.put("a.csv.gz", gzip.compress(b"id\n1\nx,y\n"))
    drop.read("a.csv.gz")
    assert [p.name for p in place.iterdir() if p.name.startswith("pipelines-files-")] == []


def test_streams_are_files_and_folders(drop: Drop) -> None:
    drop.put("a.csv", b"id\n1\n")
    drop.put("in/deep/b.csv", b"id\n1\n")
    drop.put("notes.md", b"")
    assert [s.name for s in FilesConnector(root=str(drop.folder), format="csv").streams()] == ["a.csv", "in/deep"]


@pytest.mark.parametrize(
    ("landed", "values", "now"),
    [
        (pa.int64(), ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"], "TIMESTAMP"),
        (pa.timestamp("us", "UTC"), ["5", "7"], "BIGINT"),
        (pa.timestamp("us", "UTC"), ["2024-01-05 00:00:00"], "TIMESTAMP"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_cursor_of_another_type_is_an_error(
    drop: Drop, landed: pa.DataType, values: list[str], now: str, name: str
) -> None:
    drop.put(name, _rows_of(name, values))
    with pytest.raises(CursorError, match=rf"Cursor `u` is {now} now; what was landed is .*`--full-refresh`"):
        drop.read(name, Window(field="u"), expected=pa.schema([("id", pa.int64()), ("u", landed)]))


@pytest.mark.parametrize("values", [["7", "2024-01-01"], ["x"], ["2024-13-01"], ["", "x"]])
def test_a_value_that_is_no_cursor_is_a_dead_letter(drop: Drop, values: list[str]) -> None:
    drop.put("a.csv", _rows_of("a.csv", values))
    rows, reasons = drop.read("a.csv", Window(field="u"), expected=pa.schema([("id", pa.int64()), ("u", pa.int64())]))
    assert len(reasons) == 1
    assert len(rows) == len(values) - 1


def _rows_of(name: str, values: list[str]) -> bytes:
    if name.endswith("jsonl"):
        return "".join(f'{{"id": {number}, "u": "{value}"}}\n' for number, value in enumerate(values)).encode()
    return "\n".join(["id,u", *(f"{number},{value}" for number, value in enumerate(values)), ""]).encode()
