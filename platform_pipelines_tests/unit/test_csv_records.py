"""The careful CSV reader: records over many lines, however long, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.formats import csv_lines, csv_records
from platform_pipelines.formats.csv_records import read_records
from platform_pipelines.formats.options import TextOptions

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.unit.drop import Drop

_INNER = "8,like a record\n" * 20


@pytest.fixture(params=[4, 1 << 18])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "_BLOCK_BYTES", request.param)
    monkeypatch.setattr(csv_lines, "_FIRST_BYTES", request.param)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "_MOST_CHARACTERS", 100)


@pytest.mark.usefixtures("blocks", "short")
@pytest.mark.parametrize("more", ["", ',"9,b\n9,""c""\n"', ',"' + _INNER + '"'])
def test_a_record_that_is_too_long_is_rejected_once_and_as_a_whole(drop: Drop, more: str) -> None:
    header, width = ("id,v,w\n", 3) if more else ("id,v\n", 2)
    row = "".join(f",{n}" for n in range(1, width))
    long = f'2,"{_INNER}"{more}\n'
    drop.put("a.csv", f'{header}1{row}\n{long}3,"x"y\n4{row}\n'.encode())
    rows, rejected = drop.read("a.csv")
    assert [record["id"] for record in rows] == [1, 4]
    last = 2 + long.count("\n")
    why = f"the record goes on to line {last} and has {len(long)} characters, more than the 100 that one may have"
    assert rejected == [
        f"a.csv line 3: {why}; it is rejected as a whole.",
        f"a.csv line {last + 1}: text follows a closing quote.",
    ]


@pytest.mark.usefixtures("blocks", "short")
@pytest.mark.parametrize("last", ["", '9,"b"\n'])
def test_a_quote_too_many_costs_its_line_however_far_the_next_one_is(drop: Drop, last: str) -> None:
    drop.put("a.csv", f'id,v\n1,"a\n{_INNER}{last}'.encode())
    rows, rejected = drop.read("a.csv")
    assert [record["id"] for record in rows] == [8] * 20 + [9] * bool(last)
    assert rejected == [f"a.csv line 2: {'text follows a closing quote' if last else 'a quoted field is not closed'}."]


@pytest.mark.usefixtures("blocks")
def test_bytes_that_are_no_text_reject_their_record_and_not_its_first_line(drop: Drop) -> None:
    drop.put("a.csv", b'id,v\n1,a\n2,"\xc3\x9f\n8,\xff\n8,like a record"\n3,b\n')
    rows, rejected = drop.read("a.csv")
    assert [record["id"] for record in rows] == [1, 3]
    assert rejected == ["a.csv line 3: byte 3 of line 4, 0xff, is not valid UTF-8."]


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
def test_every_line_is_in_one_record(tmp_path: Path, ending: str) -> None:
    lines = ["\ufeffid,v", '1,"a', 'b",c', "", 'x"y,"z', '"" ', '2,"ß', '"', 'a","b', 'a","b', "3,é"]
    text = ending.join(lines)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    records = list(read_records(path, TextOptions(), "a.csv"))
    assert "".join(record.text for record in records) == text.removeprefix("\ufeff")
    before = ["".join(record.text for record in records[:place]) for place in range(len(records))]
    assert [record.line for record in records] == [1 + text.count(ending) for text in before]
    assert records[-1].fields == ("3", "é")


def test_a_file_of_quotes_that_are_all_wrong_is_read_once(tmp_path: Path) -> None:
    """Were each of them followed to the end of the file, this would take very long."""
    path = tmp_path / "a.csv"
    path.write_text('a","b\n' * 20_000, encoding="utf-8")
    problems = {record.problem for record in read_records(path, TextOptions(), "a.csv")}
    assert problems == {"a quoted field is not closed"}
    path.write_text('a","b\n' * 20_000 + '"x"y,\n', encoding="utf-8")
    assert sum(1 for record in read_records(path, TextOptions(), "a.csv") if record.problem) == 20_001


@pytest.mark.usefixtures("short")
def test_a_line_without_an_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_BYTES", "_BLOCK_BYTES"):
        monkeypatch.setattr(csv_lines, name, 16)
    path = tmp_path / "a.csv"
    path.write_text("id\n" + "x" * 1_000, encoding="utf-8")
    with pytest.raises(InvalidData, match=r"^f\.csv line 2 is longer than 100 bytes"):
        list(read_records(path, TextOptions(), "f.csv"))
