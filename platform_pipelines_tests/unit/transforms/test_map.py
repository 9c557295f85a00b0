from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.convert import CONVERTERS, converter
from platform_pipelines.errors import InvalidData, SpecError

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

UTC = dt.UTC


def one(bench: Bench, literal: str, convert: str) -> Any:
    """The converted value, or `rejected`."""
    done = bench.apply(f"select {literal} as v", {"map": {"out": {"from": "v", "convert": convert}}})
    return bench.read(done.relation)[0][0] if done.rows else "rejected"


@pytest.mark.parametrize(
    ("literal", "convert", "expected"),
    [
        ("'ÄB'", "lower", "äb"),
        ("'äb'", "upper", "ÄB"),
        ("' ' || chr(9) || 'a b' || chr(160)", "trim", "a b"),
        ("12", "lower", "12"),
        ("' 0042 '", "int", 42),
        ("'12.0'", "int", 12),
        ("'-9223372036854775808'", "int", -9223372036854775808),
        ("'9223372036854775808'", "int", "rejected"),
        ("'1.5'", "int", "rejected"),
        ("'1_000'", "int", "rejected"),
        ("'0x10'", "int", "rejected"),
        ("''", "int", "rejected"),
        ("1.5::double", "int", "rejected"),
        ("3.0::double", "int", 3),
        ("'nan'::double", "int", "rejected"),
        ("1e300::double", "int", "rejected"),
        ("2.00::decimal(9,2)", "int", 2),
        ("true", "int", 1),
        ("'1e3'", "float", 1000.0),
        ("'1,5'", "float", "rejected"),
        ("'1e999'", "float", "rejected"),
        ("'-Infinity'", "float", float("-inf")),
        ("'12345678901234567890.123456789'", "decimal", Decimal("12345678901234567890.123456789")),
        ("'0.1234567891'", "decimal", "rejected"),
        ("'1.10'", "decimal(5,1)", Decimal("1.1")),
        ("'1.15'", "decimal(5,1)", "rejected"),
        ("'12345.1'", "decimal(5,1)", "rejected"),
        ("'1.'", "decimal(5,0)", Decimal(1)),
        ("0.1::double", "decimal", Decimal("0.1")),
        ("9223372036854775807", "decimal", Decimal(9223372036854775807)),
        ("1.25::decimal(9,2)", "decimal(9,1)", "rejected"),
        ("'Yes'", "bool", True),
        ("'off'", "bool", False),
        ("'maybe'", "bool", "rejected"),
        ("0", "bool", False),
        ("2", "bool", "rejected"),
        ("true", "bool", True),
        ("'2026-02-28'", "date", dt.date(2026, 2, 28)),
        ("'2026-02-30'", "date", "rejected"),
        ("'28.02.2026'", "date", "rejected"),
        ("'2026-01-01T00:30:00+02:00'", "date", dt.date(2025, 12, 31)),
        ("'2026-01-31T10:00:00+0200'", "timestamp", dt.datetime(2026, 1, 31, 8)),  # noqa: DTZ001
        ("'2026-01-31 10:00'", "timestamp", dt.datetime(2026, 1, 31, 10)),  # noqa: DTZ001
        ("'2026-01-31T10:00:00.123456000Z'", "timestamptz", dt.datetime(2026, 1, 31, 10, 0, 0, 123456, UTC)),
        ("'2026-01-31 10:00 +02'", "timestamptz", dt.datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("'2026-01-31T10:00:00.1234567'", "timestamp", "rejected"),
        ("'infinity'", "timestamp", "rejected"),
        ("date '2026-01-31'", "timestamp", dt.datetime(2026, 1, 31)),  # noqa: DTZ001
        ("timestamp '2026-01-31 10:00:00'", "timestamptz", dt.datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("12.50::decimal(9,2)", "string", "12.50"),
        ("{'a': 1, 'b': [true]}", "string", '{"a":1,"b":[true]}'),
        ("''", "string", ""),
        ("'{\"a\": 1}'", "json", '{"a": 1}'),
        ("'{a}'", "json", "rejected"),
        ("[1, 2]", "json", "[1,2]"),
        ("1.10::decimal(9,2)", "json", "1.10"),
        ("'nan'::double", "json", "rejected"),
    ],
)
def test_converts_exactly_or_rejects(bench: Bench, literal: str, convert: str, expected: Any) -> None:
    assert one(bench, literal, convert) == expected


@pytest.mark.parametrize("convert", [*CONVERTERS, "decimal(10, 2)"])
def test_null_stays_null_in_every_converter(bench: Bench, convert: str) -> None:
    assert one(bench, "null::varchar", convert) is None


def test_impossible_conversion_names_both_types(bench: Bench) -> None:
    with pytest.raises(InvalidData, match=r"BLOB cannot be converted to int.*"):
        one(bench, "'a'::blob", "int")


def test_unknown_converter_lists_the_known() -> None:
    with pytest.raises(SpecError, match=r"Unknown converter `title`. Allowed: lower, upper, trim, int"):
        converter("title")
    with pytest.raises(SpecError):
        converter("decimal(39, 2)")


def test_output_has_exactly_the_mapped_columns_in_their_order(bench: Bench) -> None:
    done = bench.apply("select 1 as a, 2 as b, 3 as c", {"map": {"z": "c", "a": "a"}})
    assert bench.table(done.relation).to_pylist() == [{"z": 3, "a": 1}]
    assert done.origins == {"z": "c", "a": "a"}


def test_default_stands_for_null_and_for_a_missing_column(bench: Bench) -> None:
    source = "select * from (values (1, null), (2, 'b')) t(id, email)"
    mapped = {"id": "id", "email": {"default": "none"}, "status": {"default": "New"}, "gone": {"default": None}}
    assert bench.rows(source, {"map": mapped}) == [(1, "none", "New", None), (2, "b", "New", None)]


def test_null_stays_null_without_a_default(bench: Bench) -> None:
    assert bench.rows("select null::int as a", {"map": {"a": "a", "b": {"from": "a", "default": None}}}) == [
        (None, None)
    ]


def test_default_of_another_type_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidData, match=r"`map.age.default` 'old' is no value of the column's type bigint"):
        bench.apply("select '1' as age", {"map": {"age": {"convert": "int", "default": "old"}}})


def test_missing_column_names_the_nearest(bench: Bench) -> None:
    with pytest.raises(InvalidData, match=r"takes `emial`.*Columns: id, email. Did you mean `email`\?"):
        bench.apply("select 1 as id, 'a' as email", {"map": {"email": "emial"}})


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("select {'email': 'a@b.c'} as contact", "contact.email", "a@b.c"),
        ("""select '{"contact": {"email": "a@b.c"}}' as doc""", "doc.contact.email", "a@b.c"),
        ("""select '{"a/b~c": [10, 20]}' as doc""", "doc.a/b~c.1", "20"),
        ("""select '{"a": null}' as doc""", "doc.a", None),
        ("""select '{}' as doc""", "doc.a.b", None),
        ("select [{'n': 1}, {'n': 2}] as items", "items.1.n", 2),
        ("select map {'k': 5} as m", "m.k", 5),
        ("""select {'raw': '{"x": "y"}'} as s""", "s.raw.x", "y"),
        ('select 7 as "contact.email"', "contact.email", 7),
        ("select null::struct(email varchar) as contact", "contact.email", None),
    ],
)
def test_dotted_paths(bench: Bench, source: str, path: str, expected: Any) -> None:
    assert bench.rows(source, {"map": {"out": path}}) == [(expected,)]


@pytest.mark.parametrize("path", ["contact.phone", "contact.email.x.y", "id.x", "contact."])
def test_path_that_leads_nowhere_is_an_error_unless_defaulted(bench: Bench, path: str) -> None:
    source = "select 1 as id, {'email': 1} as contact"
    with pytest.raises(InvalidData, match="does not exist"):
        bench.apply(source, {"map": {"out": path}})
    assert bench.rows(source, {"map": {"out": {"from": path, "default": 0}}}) == [(0,)]


def test_rejected_rows_keep_their_columns_and_say_why(bench: Bench) -> None:
    source = "select * from (values (1, '42', 'x'), (2, 'abc', 'y'), (3, null, 'z')) t(id, age, born)"
    mapped = {
        "id": "id",
        "age": {"from": "age", "convert": "int"},
        "born": {"convert": "date", "default": "2000-01-01"},
    }
    done = bench.apply(source, {"label": "Clean", "map": mapped})
    assert bench.read(done.relation) == []
    (rejects,) = done.rejects
    assert (rejects.passed, rejects.rows) == ((), 3)
    assert bench.table(rejects.relation).to_pylist()[1] == {
        "id": 2,
        "age": "abc",
        "born": "y",
        "_pipelines_rule": "transform:Clean",
        "_pipelines_rules": ["transform:Clean"],
        "_pipelines_reason": "age: 'abc' cannot be converted to int; born: 'y' cannot be converted to date",
    }


def test_text_that_is_no_json_is_rejected_not_nulled(bench: Bench) -> None:
    done = bench.apply("select 'oops' as doc", {"map": {"a": {"from": "doc.a", "default": None}}})
    assert done.rows == 0
    assert bench.table(done.rejects[0].relation)["_pipelines_reason"].to_pylist() == [
        "a: 'oops' lies in text that is not JSON"
    ]


def test_cursor_is_kept_besides_when_it_is_not_mapped(bench: Bench) -> None:
    source = "select 1 as id, 5 as seen"
    kept = bench.apply(source, {"map": {"id": "id", "seen": "seen"}}, cursor="seen")
    assert (kept.cursor, bench.table(kept.relation).column_names) == ("seen", ["id", "seen"])
    renamed = bench.apply(source, {"map": {"id": "id", "at": "seen"}}, {"map": {"id": "id"}}, cursor="seen")
    assert (renamed.cursor, bench.read(renamed.relation)) == ("_pipelines_cursor", [(1, 5)])
    changed = bench.apply(source, {"map": {"seen": {"from": "seen", "convert": "string"}}}, cursor="seen")
    assert (changed.cursor, bench.read(changed.relation)) == ("_pipelines_cursor", [("5", 5)])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "`map` must be a mapping"),
        ({"a": 5}, "`map.a` must be a mapping"),
        ({"a": {"form": "b"}}, "`map.a` has the unknown key `form`. Allowed: from, convert, default"),
        ({"a": {"from": 3}}, "`map.a`: `from` must be a text, not 3"),
        ({"a": {"convert": [3]}}, "`convert` must be a text, or a list of texts"),
        ({"a": {"default": [1]}}, "`map.a.default` must be a text"),
    ],
)
def test_bodies_that_can_never_work_are_refused_with_their_line(bench: Bench, body: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        bench.apply("select 1 as a", {"map": body})
    assert str(caught.value).startswith("flights.yaml:11: Transform `map 1` (map): ")
