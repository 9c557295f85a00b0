"""Converters of ``map`` that take more than a name, functions of a user's own, dotted names, columns not mapped."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.transforms import map as mapping
from platform_pipelines.transforms import outputs

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

UTC = dt.UTC
HERE = __name__


def shout(value: str) -> str | None:
    return None if value == "quiet" else value.upper() + "!"


def length(value: str) -> int:
    return len(value) if value != "huge" else 2**64


def picky(value: str) -> Decimal:
    if value == "bad":
        message = "no such thing"
        raise LookupError(message)
    return Decimal(value)


def moment(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value)


def pieces(value: str) -> list[str]:
    return value.split()


def unsaid(value: Any):  # type: ignore[no-untyped-def] # noqa: ANN201 - what is not annotated is the point
    return value * 2


def odd(_value: str) -> complex:
    return 1j


NOT_CALLABLE = 3


def one(bench: Bench, literal: str, **said: Any) -> Any:
    """The converted value, or `rejected`."""
    done = bench.apply(f"select {literal} as v", {"map": {"out": {"from": "v", **said}}})
    return bench.read(done.relation)[0][0] if done.rows else "rejected"


@pytest.mark.parametrize(
    ("literal", "said", "expected"),
    [
        ("'31.01.2026'", {"convert": "date", "format": "%d.%m.%Y"}, dt.date(2026, 1, 31)),
        ("'31.02.2026'", {"convert": "date", "format": "%d.%m.%Y"}, "rejected"),
        ("'2026-01-31'", {"convert": "date", "format": "%d.%m.%Y"}, "rejected"),
        ("'1 Jan 2026 3 PM'", {"convert": "timestamp", "format": "%d %b %Y %I %p"}, dt.datetime(2026, 1, 1, 15)),  # noqa: DTZ001
        (
            "'2026-07-01 12:00'",
            {"convert": "timestamptz", "format": "%Y-%m-%d %H:%M", "timezone": "Europe/Berlin"},
            dt.datetime(2026, 7, 1, 10, tzinfo=UTC),
        ),
        (
            "'2026-01-01 12:00'",
            {"convert": "timestamp", "format": "%Y-%m-%d %H:%M", "timezone": "Europe/Berlin"},
            dt.datetime(2026, 1, 1, 11),  # noqa: DTZ001
        ),
        ("'2026-03-29 02:30'", {"convert": "timestamp", "timezone": "Europe/Berlin"}, "rejected"),
        (
            "'2026-10-25 02:30'",
            {"convert": "timestamptz", "timezone": "Europe/Berlin"},
            dt.datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
        (
            "'2026-01-01T12:00:00+05:30'",
            {"convert": "timestamptz", "timezone": "Europe/Berlin"},
            dt.datetime(2026, 1, 1, 6, 30, tzinfo=UTC),
        ),
        ("'2026-01-31'", {"convert": "date", "timezone": "America/New_York"}, dt.date(2026, 1, 31)),
        ("'2026-01-31T02:00:00Z'", {"convert": "date", "timezone": "America/New_York"}, dt.date(2026, 1, 30)),
        (
            "'2026-01-31 10:00 +0200'",
            {"convert": "timestamptz", "format": "%Y-%m-%d %H:%M %z", "timezone": "Asia/Tokyo"},
            dt.datetime(2026, 1, 31, 8, tzinfo=UTC),
        ),
        (
            "timestamp '2026-07-01 12:00:00'",
            {"convert": "timestamptz", "timezone": "Europe/Berlin"},
            dt.datetime(2026, 7, 1, 10, tzinfo=UTC),
        ),
        ("1767225600", {"convert": "timestamptz", "format": "epoch"}, dt.datetime(2026, 1, 1, tzinfo=UTC)),
        (
            "'1767225600.000001'",
            {"convert": "timestamptz", "format": "epoch"},
            dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        ),
        ("'1767225600.0000001'", {"convert": "timestamptz", "format": "epoch"}, "rejected"),
        ("1767225600123", {"convert": "timestamp", "format": "epoch_ms"}, dt.datetime(2026, 1, 1, 0, 0, 0, 123000)),  # noqa: DTZ001
        ("'soon'", {"convert": "timestamp", "format": "epoch"}, "rejected"),
        ("'a,b,,c'", {"convert": "split"}, ["a", "b", "", "c"]),
        ("'a; b'", {"convert": "split", "separator": "; "}, ["a", "b"]),
        ("' 42 '", {"convert": ["trim", "int"]}, 42),
        ("' AB '", {"convert": ["trim", "lower"]}, "ab"),
        ("'a'", {"convert": ["trim", "int"]}, "rejected"),
        ("'a'", {"convert": f"{HERE}:shout"}, "A!"),
        ("'quiet'", {"convert": f"{HERE}:shout"}, None),
        ("'quiet'", {"convert": f"{HERE}:shout", "default": "none"}, "none"),
        ("' a '", {"convert": ["trim", f"{HERE}:shout", "lower"]}, "a!"),
        ("'abc'", {"convert": f"{HERE}:length"}, 3),
        ("'huge'", {"convert": f"{HERE}:length"}, "rejected"),
        ("'12345678901234567890.5'", {"convert": f"{HERE}:picky"}, Decimal("12345678901234567890.5")),
        ("'1.0000000001'", {"convert": f"{HERE}:picky"}, "rejected"),
        ("'bad'", {"convert": f"{HERE}:picky"}, "rejected"),
        ("'2026-01-01T00:00:00+02:00'", {"convert": f"{HERE}:moment"}, dt.datetime(2025, 12, 31, 22, tzinfo=UTC)),
        ("'2026-01-01T00:00:00'", {"convert": f"{HERE}:moment"}, "rejected"),
        ("'9999-12-31T23:30:00-05:00'", {"convert": f"{HERE}:moment"}, "rejected"),
        ("'0001-01-01T00:30:00+05:00'", {"convert": f"{HERE}:moment"}, "rejected"),
        ("'a b'", {"convert": f"{HERE}:pieces"}, '["a", "b"]'),
        ("'a'", {"convert": f"{HERE}:unsaid"}, "aa"),
        ("21", {"convert": f"{HERE}:unsaid"}, "rejected"),
        ("'a b'", {"convert": "urllib.parse:quote"}, "a%20b"),
        ("null::varchar", {"convert": f"{HERE}:picky"}, None),
    ],
)
def test_converts_exactly_or_rejects(bench: Bench, literal: str, said: dict[str, Any], expected: Any) -> None:
    assert one(bench, literal, **said) == expected


def test_a_function_that_raises_says_so_in_the_dead_letter(bench: Bench) -> None:
    source = "select * from (values (1, '1.5'), (2, 'bad'), (3, null)) t(id, v)"
    done = bench.apply(source, {"map": {"id": "id", "n": {"from": "v", "convert": f"{HERE}:picky"}}})
    assert bench.read(done.relation) == [(1, Decimal("1.5")), (3, None)]
    assert bench.table(done.rejects[0].relation).to_pylist() == [
        {
            "id": 2,
            "v": "bad",
            "_pipelines_rule": "transform:map 1",
            "_pipelines_rules": ["transform:map 1"],
            "_pipelines_reason": f"n: 'bad' cannot be converted to {HERE}:picky (LookupError: no such thing)",
        }
    ]


def test_a_function_keeps_the_order_of_many_rows(bench: Bench) -> None:
    source = "select range as i, (range * 7919 % 100003)::varchar as v from range(150000)"
    done = bench.apply(source, {"map": {"i": "i", "v": "v", "n": {"from": "v", "convert": f"{HERE}:length"}}})
    rows = bench.read(done.relation)
    assert [row[0] for row in rows] == list(range(150_000))
    assert all(len(text) == number for _, text, number in rows)


def test_the_function_says_what_the_column_becomes_where_the_source_has_none(bench: Bench) -> None:
    done = bench.apply("select 1 as id", {"map": {"n": {"from": "gone", "convert": f"{HERE}:length", "default": 7}}})
    assert bench.connection.execute(f'describe from "{done.relation}"').fetchall()[0][:2] == ("n", "BIGINT")
    assert bench.read(done.relation) == [(7,)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"convert": "date", "format": "%q"}, "%q is none that can be used"),
        ({"convert": "timestamp", "format": "%Y %n"}, "%n is none"),
        ({"convert": "date", "format": "today"}, "and there is none that can be used"),
        ({"convert": "date", "timezone": "Mars/Base"}, "Unknown time zone 'Mars/Base'"),
        ({"convert": "int", "format": "%Y"}, "`format` must be a text, and goes with `convert: date` or `timestamp`"),
        ({"convert": "lower", "separator": ","}, "`separator` must be a text, and goes with `convert: split`"),
        ({"convert": "title"}, "Unknown converter `title`.*Besides: split, and a function"),
        ({"convert": ["trim", "title"]}, "Unknown converter `title`"),
        ({"convert": "a b:c"}, "is not an import path"),
        ({"convert": "no_such_module_anywhere:f"}, "importing `no_such_module_anywhere` failed"),
        ({"convert": f"{HERE}:absent"}, "has no `absent`"),
        ({"convert": f"{HERE}:NOT_CALLABLE"}, "which is no function"),
        ({"convert": f"{HERE}:odd"}, "annotated to return .*complex.*Allowed: str, int"),
    ],
)
def test_what_can_never_work_is_refused_without_data(said: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        outputs.load_functions({"out": {"from": "v", **said}})


def test_a_number_has_no_written_format(bench: Bench) -> None:
    with pytest.raises(InvalidData, match="type INTEGER cannot be converted to a time by the format %Y"):
        one(bench, "2026", convert="date", format="%Y")


def test_dotted_names_become_fields(bench: Bench) -> None:
    source = "select * from (values (1, 'Ulm', 48.4), (2, null, null)) t(id, city, lat)"
    body = {"id": "id", "address.city": "city", "address.geo.lat": "lat", "status": {"default": "new"}}
    assert bench.rows(source, {"map": body}) == [
        (1, {"city": "Ulm", "geo": {"lat": Decimal("48.4")}}, "new"),
        (2, None, "new"),
    ]


@pytest.mark.parametrize("names", [("a", "a.b"), ("a.b", "a"), ("a.b", "A.B"), ("a.b.c", "a.b")])
def test_a_name_inside_another_is_refused(names: tuple[str, str]) -> None:
    with pytest.raises(SpecError, match="of which one is the other, or in it"):
        mapping.check(dict.fromkeys(names, "x"))
    with pytest.raises(SpecError, match="is no column"):
        mapping.check({"a.": "x"})


def test_columns_that_are_not_mapped_are_kept_on_demand(bench: Bench) -> None:
    source = "select 1 as id, 'A@B' as email, {'phone': 5} as contact, 7 as seen, 'x' as rest"
    body = {"mail": {"from": "email", "convert": "lower"}, "phone": "contact.phone", "rest": {"default": "y"}}
    kept = bench.apply(source, {"map": body, "unmapped": "keep"}, cursor="seen")
    assert bench.table(kept.relation).to_pylist() == [
        {"mail": "a@b", "phone": 5, "rest": "x", "id": 1, "contact": {"phone": 5}, "seen": 7}
    ]
    assert (kept.cursor, kept.origins["id"]) == ("seen", "id")
    dropped = bench.apply(source, {"map": body}, cursor="seen")
    assert bench.table(dropped.relation).column_names == ["mail", "phone", "rest", "_pipelines_cursor"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("doc.price", "12345678901234567890.123456789"),
        ("doc.small", "1.5"),
        ("doc.items", '[0.12345678901234567891,"1234567890123456.7"]'),
        ("doc.items.1", "1234567890123456.7"),
        ("doc.whole", "123456789012345678901234567890"),
        ("doc.text", 'a "1234567890123456.75" b'),
    ],
)
def test_numbers_inside_json_keep_their_digits(bench: Bench, path: str, expected: str) -> None:
    document = (
        '{"price": 12345678901234567890.123456789, "small": 1.5, "text": "a \\"1234567890123456.75\\" b",'
        ' "items": [0.12345678901234567891, "1234567890123456.7"], "whole": 123456789012345678901234567890}'
    )
    assert bench.rows(f"select '{document}' as doc", {"map": {"out": path}}) == [(expected,)]


def test_a_decimal_inside_json_is_exact(bench: Bench) -> None:
    body = {"out": {"from": "doc.price", "convert": "decimal"}}
    source = """select '{"price": 12345678901234567890.123456789}' as doc"""
    assert bench.rows(source, {"map": body}) == [(Decimal("12345678901234567890.123456789"),)]


def test_a_default_is_not_rounded_to_the_type_of_its_column(bench: Bench) -> None:
    with pytest.raises(InvalidData, match=r"`map.n.default` 0.5 is no value of the column's type"):
        bench.apply("select 1 as n", {"map": {"n": {"default": 0.5}}})
    assert bench.rows("select null::decimal(9, 2) as n", {"map": {"n": {"default": 0.5}}}) == [(Decimal("0.50"),)]
