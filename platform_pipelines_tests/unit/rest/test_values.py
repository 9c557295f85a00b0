from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData, SchemaDrift, SpecError
from platform_pipelines.formats.json_page import PageReader
from platform_pipelines.model import Stream, Window
from platform_pipelines_tests.api_server import Answer, ApiServer

if TYPE_CHECKING:
    from platform_pipelines.model import Page
    from platform_pipelines_tests.unit.rest.conftest import Reader

UTC = dt.UTC
NUMBERED = {"pagination": {"type": "page", "size_change": "allow", "repeated": "allow"}}


def _serve(api: ApiServer, *pages: str) -> None:
    left = [f"[{page}]".encode() for page in (*pages, "")]
    api.serve("/s", lambda _: Answer(content=left.pop(0)))


def _column(pages: list[Page]) -> tuple[str, list[Any]]:
    batches = [batch for page in pages for batch in page.batches]
    assert len({str(batch.schema) for batch in batches}) == 1
    return str(batches[0].schema.field("x").type), [row["x"] for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "case",
    [
        (["1", "2"], "int64", [1, 2]),
        (["1", "null", "2"], "int64", [1, None, 2]),
        (["null"], "string", [None]),
        (["1", "2.5"], "double", [1.0, 2.5]),
        (["true", "false"], "bool", [True, False]),
        (["9223372036854775807"], "int64", [2**63 - 1]),
        (["9223372036854775808", "1"], "decimal128(38, 0)", [Decimal(2**63), Decimal(1)]),
        (["9007199254740993", "0.5"], "decimal128(38, 2)", [Decimal("9007199254740993.00"), Decimal("0.50")]),
        (["1234567890123456.7891", "1"], "decimal128(38, 4)", [Decimal("1234567890123456.7891"), Decimal("1.0000")]),
        (["12345678901234567.5", "0.25"], "decimal128(38, 2)", [Decimal("12345678901234567.50"), Decimal("0.25")]),
        (["-73.98130416870117", "40.7"], "double", [-73.98130416870117, 40.7]),
        (["1e400", "1"], "string", ["1e400", "1"]),
        (["0.1", "1" * 50], "string", ["0.1", "1" * 50]),
        (['"a"', '"b"'], "string", ["a", "b"]),
        (['"a"', "1", "true"], "string", ['"a"', "1", "true"]),
        (['"007"', '"12"'], "string", ["007", "12"]),
        (['"2026-01-31"', '"2026-02-01"'], "date32[day]", [dt.date(2026, 1, 31), dt.date(2026, 2, 1)]),
        (['"2026-01-31"', '"none"'], "string", ["2026-01-31", "none"]),
        (['"2026-01-31"', '"2026-02-30"'], "string", ["2026-01-31", "2026-02-30"]),
        (['"2026-01-31T10:00:00"'], "timestamp[us]", [dt.datetime.fromisoformat("2026-01-31T10:00:00")]),
        (
            ['"2026-01-31T10:00:00.123456Z"', '"2026-01-31T12:00:00+02:00"'],
            "timestamp[us, tz=UTC]",
            [dt.datetime(2026, 1, 31, 10, 0, 0, 123456, UTC), dt.datetime(2026, 1, 31, 10, tzinfo=UTC)],
        ),
        (
            ['"2026-01-31T10:00:00"', '"2026-01-31T10:00:00Z"'],
            "string",
            ["2026-01-31T10:00:00", "2026-01-31T10:00:00Z"],
        ),
        (['"2026-01-31T10:00:00Z"', '"2026-01-31"'], "string", ["2026-01-31T10:00:00Z", "2026-01-31"]),
        (['"2026-01-31T10:00:00.1234567Z"'], "string", ["2026-01-31T10:00:00.1234567Z"]),
        ([r'"\ud83d\ude00 \u00e9"'], "string", ["😀 é"]),
        (['{"a": 1.50}', "[1, 2]"], "string", ['{"a":1.5}', "[1,2]"]),
        (['{"a": 12345678901234567.25}'], "string", ['{"a":12345678901234567.25}']),
        (['"a"', '{"b": 1}'], "string", ['"a"', '{"b":1}']),
    ],
)
@pytest.mark.parametrize("size", [1, 10])
def test_values_arrive_exactly_whatever_the_page(
    api: ApiServer, read: Reader, case: tuple[list[str], str, list[Any]], size: int
) -> None:
    values, kind, expected = case
    records = [f'{{"id": {i}, "x": {value}}}' for i, value in enumerate(values)]
    _serve(api, *(", ".join(records[i : i + size]) for i in range(0, len(records), size)))
    assert _column(read.pages(**NUMBERED)) == (kind, expected)


def test_structures_unite_over_pages(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": {"a": 1, "t": "2026-01-01"}}', '{"x": {"a": 2.5, "b": [1]}}', '{"x": null}')
    kind, found = _column(read.pages(nested="struct", **NUMBERED))
    assert kind == "struct<a: double, t: string, b: list<item: int64>>"
    assert found == [{"a": 1.0, "t": "2026-01-01", "b": None}, {"a": 2.5, "t": None, "b": [1]}, None]


def test_structures_that_do_not_unite_are_an_error(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": {"a": 1}}', '{"x": {"a": "b"}}')
    with pytest.raises(InvalidData, match="Keep it as JSON: `nested: json`"):
        read.pages(nested="struct", **NUMBERED)


def test_a_new_field_on_a_late_page_is_a_column(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"id": 1}', '{"id": 2, "late": "x"}')
    assert read.rows(**NUMBERED) == [{"id": 1, "late": None}, {"id": 2, "late": "x"}]


def test_fields_that_differ_in_case_only_are_an_error(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"Id": 1}', '{"id": 2}')
    with pytest.raises(InvalidData, match="differ in case only"):
        read.pages(**NUMBERED)


def test_declared_types_win_and_what_does_not_fit_is_rejected(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"id": 1, "x": "1.5"}, {"id": 2, "x": "n/a"}, {"id": 3, "x": 2.25}, {"id": 4, "x": null}')
    pages = read.pages(types={"x": "decimal(10,2)"}, **NUMBERED)
    assert _column(pages) == ("decimal128(10, 2)", [Decimal("1.50"), Decimal("2.25"), None])
    rejected = [each for page in pages for each in page.rejected]
    assert [json.loads(each.record) for each in rejected] == [{"id": 2, "x": "n/a"}]
    assert rejected[0].reason == "column 'x': 'n/a' is not a value of DECIMAL(10,2) (as declared)."


def test_text_landed_before_stays_text_where_numbers_stand_beside_it(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": "a"}, {"x": 1}', '{"x": "b"}')
    assert _column(_expected(read, pa.string())) == ("string", ["a", "1", "b"])


def test_a_declared_column_is_there_whether_a_record_has_it_or_not(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"id": 1}')
    assert read.rows(types={"late": "bigint"}, **NUMBERED) == [{"id": 1, "late": None}]


def test_a_declared_column_in_another_case_than_the_field_is_an_error(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"id": 1}')
    with pytest.raises(SpecError, match="names 'ID', the field is 'id'. Write it like the field."):
        read.pages(types={"ID": "bigint"}, **NUMBERED)


def test_a_number_beyond_all_doubles_does_no_harm_beside_the_records(api: ApiServer, read: Reader) -> None:
    api.serve("/s", Answer(content=b'{"data": [{"x": 1}], "size": 1e999, "next": null}'))
    assert read.rows() == [{"x": 1}]


def test_json_nested_too_deeply_is_an_error(api: ApiServer, read: Reader) -> None:
    api.serve("/s", Answer(content=b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"))
    with pytest.raises(InvalidData, match="cut off or malformed"):
        read.rows(records="data")


def test_a_declared_type_that_is_none_is_an_error(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": 1}')
    with pytest.raises(SpecError, match="'decimaal' of column 'x' is not a SQL type"):
        read.pages(types={"x": "decimaal"}, **NUMBERED)


def _expected(read: Reader, kind: pa.DataType, changes: Any = "widen") -> list[Page]:
    schema = pa.schema([("x", kind)])
    stream = Stream("s", expected=schema, type_changes=changes)
    return list(read.connector(**NUMBERED).read(stream, Window(), None))


@pytest.mark.parametrize(
    "case",
    [
        (pa.int64(), "1", "int64", [1]),
        (pa.float64(), "1", "double", [1.0]),
        (pa.int64(), "1.5", "decimal128(38, 2)", [Decimal("1.50")]),
        (pa.int64(), "null", "int64", [None]),
        (pa.string(), "1", "string", ["1"]),
        (pa.string(), '"2026-01-01"', "string", ["2026-01-01"]),
        (pa.date32(), '"2026-01-01T10:00:00"', "timestamp[us]", [dt.datetime.fromisoformat("2026-01-01T10:00:00")]),
        (pa.decimal128(20, 4), "1.5", "decimal128(20, 4)", [Decimal("1.5000")]),
        (
            pa.timestamp("us", "UTC"),
            '"2026-01-01T10:00:00Z"',
            "timestamp[us, tz=UTC]",
            [dt.datetime(2026, 1, 1, 10, tzinfo=UTC)],
        ),
    ],
)
def test_types_landed_before_are_kept_or_widened(
    api: ApiServer, read: Reader, case: tuple[pa.DataType, str, str, list[Any]]
) -> None:
    kind, page, used, found = case
    _serve(api, f'{{"x": {page}}}')
    assert _column(_expected(read, kind)) == (used, found)


def test_what_no_wider_type_holds_is_rejected(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": "2026-01-01T10:00:00Z"}, {"x": "soon"}')
    pages = _expected(read, pa.timestamp("us", "UTC"))
    assert len(_column(pages)[1]) == 1
    assert [each.reason for page in pages for each in page.rejected] == [
        "column 'x': 'soon' is not a value of TIMESTAMP WITH TIME ZONE (as landed before)."
    ]


def test_a_change_that_is_not_allowed_is_an_error(api: ApiServer, read: Reader) -> None:
    _serve(api, '{"x": 1.5}')
    with pytest.raises(SchemaDrift, match="was landed as BIGINT; 1 values are none"):
        _expected(read, pa.int64(), "fail")


RECORD = {"a": 1, "b": "x", "c": 2.5, "d": None, "e": True, "t": "2026-01-01T00:00:00", "u": "é"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"data": [RECORD]}),
        json.dumps({"data": [RECORD]}, ensure_ascii=False),
        json.dumps({"data": [RECORD]}, indent=2),
        json.dumps({"n": [1, [2]], "data": [RECORD], "more": {"data": []}, "tail": [[], [3]]}),
        json.dumps({"text": '"data": [', "data": [RECORD]}),
        json.dumps({"inner": {"data": [5]}, "data": [RECORD]}),
        json.dumps({"data": [RECORD], "text": "]]]]"}),
        "\n " + json.dumps({"data": [RECORD]}) + " \n",
    ],
)
def test_the_fast_reader_and_the_exact_one_agree(text: str) -> None:
    def find(document: Any) -> list[Any]:
        return document["data"]

    fast = PageReader("json", ("data",), find).read(text.encode())
    exact = PageReader("json", None, find)._exactly(text.encode())
    assert fast.batch.to_pylist() == exact.batch.to_pylist() == [RECORD]
    assert fast.batch.schema == exact.batch.schema
    rest = json.loads(text)
    assert {**fast.envelope, "data": []} == {**rest, "data": []}


@pytest.mark.parametrize("text", [b'{"data": [{"a": "\xff"}]}', b'{"data": [{"a": 1}', b'{"data": [{"a": NaN}]}', b""])
def test_what_is_no_json_is_none_for_every_reader(text: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        PageReader("json", ("data",), lambda document: document["data"]).read(text)


def test_a_lone_surrogate_rejects_its_record_only() -> None:
    page = PageReader("json", ("data",), lambda document: document["data"]).read(
        rb'{"data":[{"a":"\ud800"},{"a":"b"}]}'
    )
    assert page.batch.to_pylist() == [{"a": "b"}]
    assert [each.reason for each in page.rejected] == ["A string of the record holds a lone surrogate."]
