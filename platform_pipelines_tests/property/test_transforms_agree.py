"""Converters, paths, aggregates and joins say what the same work done in Python says."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections import defaultdict
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_pipelines import duck
from platform_pipelines.duck import literal
from platform_pipelines.spec.transform import TransformSpec
from platform_pipelines.transforms import chain, converters

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

WIDE = Context(prec=100)
FORMATS = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%Y%m%dT%H%M%S", "%m/%d/%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S.%f"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
MOMENTS = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2060, 1, 1))  # noqa: DTZ001 - wall-clock times
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=None).map(
        lambda d: format(d, "f") if abs(d.adjusted()) < 45 else "1"
    ),
    st.text("0123456789+-.eE _x", max_size=12),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duck.connect() as connection:
        yield connection


def converted(connection: duckdb.DuckDBPyConnection, name: str, values: list[str], **said: Any) -> list[Any]:
    (way,) = converters.parse("here", {"convert": name, **said})
    assert not isinstance(way, converters.Call)
    sql = f"select {way.sql('v', 'VARCHAR')} from (select unnest($1::varchar[]) as v)"
    return [row[0] for row in connection.execute(sql, [values]).fetchall()]


def integer(text: str) -> int | None:
    head, dot, tail = text.strip().partition(".")
    digits = head.removeprefix("+").removeprefix("-") if head[:2] not in {"+-", "-+"} else ""
    if not digits.isdecimal() or not digits.isascii() or (dot and tail.strip("0")):
        return None
    return int(head) if -(2**63) <= int(head) < 2**63 else None


def exact(text: str) -> Decimal | None:
    text = text.strip()
    body = text[1:] if text[:1] in {"+", "-"} else text
    whole, _, fraction = body.partition(".")
    if not (whole + fraction).isdecimal() or not body.isascii():
        return None
    value = Decimal(text, WIDE)
    scaled = value.scaleb(9, WIDE)
    return value if scaled == scaled.to_integral_value(context=WIDE) and abs(scaled) < 10**38 else None


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_are_exact_or_none(connection: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    assert converted(connection, "int", texts) == [integer(text) for text in texts]
    assert converted(connection, "decimal", texts) == [exact(text) for text in texts]


@settings(max_examples=150, deadline=None)
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=10), pattern=st.sampled_from(FORMATS), zone=st.sampled_from(ZONES)
)
def test_times_of_a_format_and_a_zone(
    connection: duckdb.DuckDBPyConnection, moments: list[dt.datetime], pattern: str, zone: str
) -> None:
    texts = [moment.strftime(pattern) for moment in moments]
    place, expected = zoneinfo.ZoneInfo(zone), []
    for text in texts:
        local = dt.datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is put in below
        instant = local.replace(tzinfo=place, fold=1).astimezone(dt.UTC)
        expected.append(instant if instant.astimezone(place).replace(tzinfo=None) == local else None)
    assert converted(connection, "timestamptz", texts, format=pattern, timezone=zone) == expected


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.text("ab,; \u00e9", max_size=8), min_size=1), separator=st.sampled_from([",", ";", ", ", "a"]))
def test_split_is_that_of_python(connection: duckdb.DuckDBPyConnection, texts: list[str], separator: str) -> None:
    assert converted(connection, "split", texts, separator=separator) == [text.split(separator) for text in texts]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(max_size=6),
        st.from_regex(r'"[0-9]{15,20}\.[0-9]{2,5}\\?"', fullmatch=True),
        st.from_regex(r"-?[1-9][0-9]{0,22}\.[0-9]{1,12}", fullmatch=True).map(lambda text: _Written(text)),  # noqa: PLW0108 - the class is defined below
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('abc./~"1', min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


class _Written(float):
    """A number that JSON writes as it was written."""

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text  # type: ignore[attr-defined]
        return made

    def __repr__(self) -> str:
        return str(self.text)  # type: ignore[attr-defined]


def written(value: Any) -> str:
    """JSON text with numbers as they were written."""
    if isinstance(value, _Written):
        return repr(value)
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(value=JSON)
def test_numbers_inside_json_keep_their_digits(connection: duckdb.DuckDBPyConnection, value: Any) -> None:
    document = written({"v": value})
    spec = TransformSpec(kind="map", body={"out": "doc.v"}, label="map")
    connection.execute(f"create or replace temp table source as select {literal(document)} as doc")
    done = chain.apply(connection, "source", [spec], cursor=None, lookup=_nothing)
    (found,) = connection.execute(f'from "{done.relation}"').fetchone() or (None,)
    if isinstance(value, _Written):
        assert Decimal(found) == Decimal(repr(value))
    elif isinstance(value, dict | list):
        assert json.loads(found, parse_float=Decimal) == json.loads(written(value), parse_float=Decimal)
    elif isinstance(value, str):
        assert found == value
    else:
        assert found == (None if value is None else str(value).lower())


def _nothing(*_asked: Any) -> pa.RecordBatchReader:
    raise LookupError


GROUPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.one_of(st.none(), st.integers(-(10**30), 10**30)),
        st.one_of(st.none(), st.decimals(-(10**15), 10**15, places=4)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(rows=GROUPS)
def test_aggregates_are_exact_and_keep_null(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, Any, Any]]
) -> None:
    kinds = (pa.string(), pa.decimal128(38, 0), pa.decimal128(24, 4))
    columns = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(kinds)]
    connection.register("groups", pa.table(columns, ["k", "n", "d"]))
    values = {
        "rows": "count", "filled": "count:n", "n": "sum:n", "d": "sum:d", "low": "min:n", "high": "max:d",
        "kinds": "count_distinct:n",
    }  # fmt: skip
    spec = TransformSpec(kind="aggregate", body={"by": ["k"], "values": values}, label="aggregate")
    done = chain.apply(connection, "groups", [spec], cursor=None, lookup=_nothing)
    found = {row[0]: row[1:] for row in connection.execute(f'from "{done.relation}"').fetchall()}
    connection.unregister("groups")
    groups: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    for key, number, amount in rows:
        groups[key].append((number, amount))
    assert found.keys() == groups.keys()
    for key, members in groups.items():
        numbers = [number for number, _ in members if number is not None]
        amounts = [Fraction(amount) for _, amount in members if amount is not None]
        total, money = found[key][2], found[key][3]
        assert found[key][:2] == (len(members), len(numbers))
        assert (None if total is None else int(total)) == (sum(numbers) if numbers else None)
        assert (None if money is None else Fraction(money)) == (sum(amounts) if amounts else None)
        assert found[key][4:] == (min(numbers, default=None), max(amounts, default=None), len(set(numbers)))


def test_sums_beyond_64_bits_are_exact(connection: duckdb.DuckDBPyConnection) -> None:
    big = 2**64 - 1
    connection.execute(f"create or replace temp table source as select {big}::ubigint as n from range(1000)")
    spec = TransformSpec(kind="aggregate", body={"values": {"n": "sum:n"}}, label="aggregate")
    done = chain.apply(connection, "source", [spec], cursor=None, lookup=_nothing)
    assert connection.execute(f'from "{done.relation}"').fetchall() == [(Decimal(big * 1000),)]
    connection.execute(
        "create or replace temp table source as select (1::uhugeint << 100) + range::uhugeint as n from range(2)"
    )
    done = chain.apply(connection, "source", [spec], cursor=None, lookup=_nothing)
    assert connection.execute(f'from "{done.relation}"').fetchall() == [(Decimal(2**101 + 1),)]


KEYS = st.one_of(st.none(), st.integers(0, 4))


@settings(max_examples=100, deadline=None)
@given(ours=st.lists(KEYS, max_size=12), theirs=st.lists(KEYS, max_size=8), how=st.sampled_from(["left", "inner"]))
def test_joins_are_nested_loops(
    connection: duckdb.DuckDBPyConnection, ours: list[int | None], theirs: list[int | None], how: str
) -> None:
    left = pa.table({"i": pa.array(range(len(ours)), pa.int64()), "k": pa.array(ours, pa.int64())})
    right = pa.table({"k": pa.array(theirs, pa.int64()), "j": pa.array(range(len(theirs)), pa.int64())})
    connection.register("ours", left)
    body = {"with": {"connector": "c", "table": "t"}, "on": {"k": "k"}, "how": how}
    spec = TransformSpec(kind="join", body=body, label="join")
    done = chain.apply(connection, "ours", [spec], cursor=None, lookup=lambda *_: right.to_reader())
    expected, lonely = [], 0
    for i, key in enumerate(ours):
        matches = [(i, key, j) for j, other in enumerate(theirs) if key is not None and other == key]
        lonely += not matches
        expected += matches or ([(i, key, None)] if how == "left" else [])
    assert connection.execute(f'from "{done.relation}"').fetchall() == expected
    (outcome,) = done.outcomes
    assert outcome.rows_in - outcome.dropped + outcome.added == outcome.rows_out == len(expected)
    assert outcome.dropped == (lonely if how == "inner" else 0)
