from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.relations import columns
from platform_pipelines_tests.unit.transforms.conftest import in_chunks_of, rejects

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

PEOPLE = "select * from (values (1, 'Ann@X.org'), (2, null), (3, 'BOB@Y.org')) t(id, email)"


def types(bench: Bench, relation: str) -> dict[str, str]:
    return columns(bench.connection, relation)


def test_the_text_of_the_reference(bench: Bench) -> None:
    text = "record['email'] = (record.get('email') or '').lower()\nreturn record"
    assert bench.rows(PEOPLE, {"python": text}) == [(1, "ann@x.org"), (2, ""), (3, "bob@y.org")]


def test_none_drops_a_record_and_the_outcome_counts_it(bench: Bench) -> None:
    done = bench.apply(PEOPLE, {"python": "if record['email'] is None: return None\nreturn record"})
    assert bench.read(done.relation) == [(1, "Ann@X.org"), (3, "BOB@Y.org")]
    assert (done.outcomes[0].rows_in, done.outcomes[0].rows_out, done.rejects) == (3, 2, ())


def test_a_record_that_raises_is_rejected_with_label_line_and_message(bench: Bench) -> None:
    text = "name = record['email']\n\nrecord['email'] = name.lower()\nreturn record"
    done = bench.apply(PEOPLE, {"label": "Normalize email", "python": text})
    assert bench.read(done.relation) == [(1, "ann@x.org"), (3, "bob@y.org")]
    reason = "line 3: AttributeError: 'NoneType' object has no attribute 'lower'"
    rule = "transform:Normalize email"
    assert rejects(bench, done) == [(2, None, rule, [rule], reason)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("return 7", "returned int; it must return a record (a dict) or None"),
        ("return [record]", "returned list; it must return a record (a dict) or None"),
        ("return {1: 2}", "returned the key 1; keys are texts that do not begin with _pipelines_"),
        ("record['_pipelines_x'] = 1\nreturn record", "returned the key '_pipelines_x'; keys are texts"),
        ("record['x'] = {1, 2}\nreturn record", "`x` is or holds a set, which no column can hold"),
        ("record['x'] = [record['id'], {1}]\nreturn record", "`x` is or holds a set, which no column can hold"),
        ("record['x'] = len\nreturn record", "`x` is or holds a builtin_function_or_method"),
        ("record['x'] = '\\ud800'\nreturn record", "`x` is no valid Unicode text"),
        ("x = []\nx.append(x)\nrecord['x'] = x\nreturn record", "`x` Circular reference detected"),
        (
            "from decimal import Decimal\nrecord['x'] = Decimal('NaN')\nreturn record",
            "`x` is NaN, which no exact number can be",
        ),
        ("record['x'] = 10**40\nreturn record", "`x` has more than 38 digits"),
        (
            "from datetime import time, UTC\nrecord['x'] = time(1, tzinfo=UTC)\nreturn record",
            "`x` is or holds a time with a zone",
        ),
        ("def f(): return f()\nreturn f()", "line 1: RecursionError: maximum recursion depth exceeded"),
        ("raise Exception('x' * 10**6)\nreturn record", "line 1: Exception: xxx"),
        (
            "import re\nreturn re.compile('(').x",
            f"line 2: {re.error.__name__}: missing ), unterminated subpattern at position 0",
        ),
    ],
)
def test_records_that_cannot_be_are_rejected(bench: Bench, text: str, reason: str) -> None:
    done = bench.apply("select 1 as id", {"python": text})
    ((_, _, _, said),) = rejects(bench, done)
    assert said.startswith(reason)
    assert len(said) < 600
    assert done.rows == 0


VALUES = """select 127::tinyint a, 32767::smallint b, 2147483647::integer c, 9223372036854775807 d, 255::utinyint e,
    18446744073709551615::ubigint f, 170141183460469231731687303715884105727::hugeint g, 1.5::float h, 'nan'::double i,
    'infinity'::double j, true k, 'é😀' l, ''::varchar m, 'ab\\x00'::blob n, 12345678901234567890.123456789::decimal(38, 9) o,
    date '2024-02-29' p, date 'infinity' q, timestamp '2024-02-29 01:02:03.000001' r, timestamp '290000-01-01' s,
    timestamptz '2024-03-31 01:30:00.5+01' t, time '23:59:59.999999' u, interval '1 month 2 days' v,
    uuid '00000000-0000-0000-0000-000000000001' w, [1, null, 3] x, {'a': 1::tinyint, 'b': [1.10::decimal(5, 2)]} y,
    map {'k': 1} z, '{"a": 1}'::json aa, 'x'::enum('x', 'y') bb, timestamp_ns '2024-01-01 00:00:00.123456789' cc,
    null::integer dd, null::varchar ee, null::struct(a integer) ff, '101'::bit gg, timestamp '0044-03-15 (BC) 00:00:00' hh"""


@pytest.mark.parametrize("text", ["return record", "return dict(record)", "return {**record}"])
def test_what_a_record_does_not_change_stays_as_it_is(bench: Bench, text: str) -> None:
    both = f"{VALUES} union all {VALUES}"
    done = bench.apply(both, {"python": text})
    assert types(bench, done.relation) == types(bench, "source")
    different = (
        f'(from "{done.relation}" except all from source) union all (from source except all from "{done.relation}")'
    )
    assert bench.connection.execute(different).fetchall() == []
    assert done.rows == 2
    assert set(done.origins) == set(types(bench, "source"))


SEEN = {
    "a": "127", "d": "9223372036854775807", "f": "18446744073709551615", "g": "170141183460469231731687303715884105727",
    "h": "1.5", "i": "nan", "j": "inf", "k": "True", "l": "'é😀'", "m": "''", "n": "b'ab\\x00'",
    "o": "Decimal('12345678901234567890.123456789')", "p": "datetime.date(2024, 2, 29)", "q": "'infinity'",
    "r": "datetime.datetime(2024, 2, 29, 1, 2, 3, 1)", "s": "'290000-01-01 00:00:00'",
    "t": "datetime.datetime(2024, 3, 31, 0, 30, 0, 500000, tzinfo=datetime.timezone.utc)",
    "u": "datetime.time(23, 59, 59, 999999)", "v": "'1 month 2 days'", "w": "'00000000-0000-0000-0000-000000000001'",
    "x": "[1, None, 3]", "y": "{'a': 1, 'b': [Decimal('1.10')]}", "z": "[['k', 1]]", "aa": "'{\"a\": 1}'", "bb": "'x'",
    "cc": "'2024-01-01 00:00:00.123456789'", "dd": "None", "ee": "None", "ff": "None", "gg": "'101'",
    "hh": "'0044-03-15 (BC) 00:00:00'",
}  # fmt: skip


def test_what_a_record_looks_like(bench: Bench) -> None:
    done = bench.apply(VALUES, {"python": "return {k: repr(v) for k, v in record.items()}"})
    found = bench.table(done.relation).to_pylist()[0]
    assert {name: found[name] for name in SEEN} == SEEN


MADE = [
    ("7", "BIGINT", 7),
    ("10**19", "DECIMAL(38,9)", Decimal(10**19)),
    ("10**30", "DECIMAL(31,0)", Decimal(10**30)),
    ("1.5", "DOUBLE", 1.5),
    ("True", "BOOLEAN", True),
    ("'x'", "VARCHAR", "x"),
    ("b'x'", "BLOB", b"x"),
    ("Decimal('1.25')", "DECIMAL(38,9)", Decimal("1.25")),
    ("Decimal('1e-12')", "DECIMAL(12,12)", Decimal("1e-12")),
    ("datetime(2024, 1, 1, 2)", "TIMESTAMP", dt.datetime(2024, 1, 1, 2)),  # noqa: DTZ001
    ("datetime(2024, 1, 1, 2, tzinfo=ZoneInfo('Europe/Berlin'))", "TIMESTAMP WITH TIME ZONE", dt.datetime(2024, 1, 1, 1, tzinfo=dt.UTC)),
    ("date(2024, 1, 1)", "DATE", dt.date(2024, 1, 1)),
    ("time(1, 2, 3, 4)", "TIME", dt.time(1, 2, 3, 4)),
    ("uuid.UUID(int=1)", "VARCHAR", "00000000-0000-0000-0000-000000000001"),
    ("[1, 2]", "BIGINT[]", [1, 2]),
    ("(1, 2)", "BIGINT[]", [1, 2]),
    ("{'a': Decimal('1.5'), 'b': [date(2024, 1, 1)]}", "STRUCT(a DECIMAL(2,1), b DATE[])", {"a": Decimal("1.5"), "b": [dt.date(2024, 1, 1)]}),
    ("{'a': {'b': b'x'}}", "STRUCT(a STRUCT(b BLOB))", {"a": {"b": b"x"}}),
    ("None", "VARCHAR", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "expected"), MADE)
@pytest.mark.parametrize("null_first", [False, True])
def test_what_a_new_field_becomes(bench: Bench, value: str, kind: str, expected: Any, null_first: bool) -> None:  # noqa: FBT001 - both ways
    text = (
        "from decimal import Decimal\nfrom datetime import datetime, date, time\nfrom zoneinfo import ZoneInfo\n"
        f"import uuid\nrecord['new'] = {value} if record['id'] == {1 if null_first else 0} else None\nreturn record"
    )
    done = bench.apply("select * from range(2) t(id)", {"python": text})
    assert types(bench, done.relation) == {"id": "BIGINT", "new": kind}
    found = [row[1] for row in bench.read(done.relation)]
    assert found == ([None, expected] if null_first else [expected, None])


CHANGED = [
    ("select 5::tinyint x", "record['x'] += 1", "TINYINT", 6),
    ("select 127::tinyint x", "record['x'] += 1", "BIGINT", 128),
    ("select 1.10::decimal(10, 2) x", "record['x'] *= 2", "DECIMAL(10,2)", Decimal("2.20")),
    ("select 1.10::decimal(10, 2) x", "record['x'] /= 8", "DECIMAL(38,9)", Decimal("0.1375")),
    ("select 1.5::float x", "record['x'] /= 2", "FLOAT", 0.75),
    ("select 1.5::float x", "record['x'] /= 10", "DOUBLE", 0.15),
    ("select 1.5::double x", "record['x'] = 2", "DOUBLE", 2.0),
    ("select 1 x", "record['x'] = 2.5", "DOUBLE", 2.5),
    ("select 1 x", "record['x'] = str(record['x'])", "VARCHAR", "1"),
    ("select 'a'::enum('a', 'b') x", "record['x'] = 'b'", "ENUM('a', 'b')", "b"),
    ("select 'a'::enum('a', 'b') x", "record['x'] = 'c'", "VARCHAR", "c"),
    ("select date '2024-01-01' x", "record['x'] = record['x'].isoformat()", "VARCHAR", "2024-01-01"),
    ("select {'a': 1::tinyint} x", "record['x']['a'] += 1", "STRUCT(a TINYINT)", {"a": 2}),
    ("select {'a': 1::tinyint} x", "record['x']['b'] = 'n'", "STRUCT(a BIGINT, b VARCHAR)", {"a": 1, "b": "n"}),
    ("select {'a': 1, 'b': 2} x", "del record['x']['b']", "STRUCT(a INTEGER, b INTEGER)", {"a": 1, "b": None}),
    ("select [1::tinyint] x", "record['x'].append(2)", "TINYINT[]", [1, 2]),
    ("select timestamp '2024-01-01' x", "record['x'] = record['x'].date()", "TIMESTAMP", dt.datetime(2024, 1, 1)),  # noqa: DTZ001
    ("select 1 x", "record['x'] = None", "INTEGER", None),
    ("select '{}'::json x", "record['x'] = '{\"a\":1}'", "JSON", '{"a":1}'),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text", "kind", "expected"), CHANGED)
def test_a_changed_field_keeps_its_type_where_that_holds_it_exactly(
    bench: Bench, source: str, text: str, kind: str, expected: Any
) -> None:
    done = bench.apply(source, {"python": f"{text}\nreturn record"})
    assert types(bench, done.relation) == {"x": kind}
    assert bench.read(done.relation) == [(expected,)]
    assert "x" not in done.origins


MIXED = [
    ("1 if record['id'] % 2 else 2.5", "DOUBLE", 0),
    ("1 if record['id'] % 2 else Decimal('2.5')", "DECIMAL(38,9)", 0),
    ("date(2024, 1, 1) if record['id'] % 2 else datetime(2024, 1, 1)", "TIMESTAMP", 0),
    ("'a' if record['id'] % 2 else 1", "BIGINT", 3),
    ("{'a': 1} if record['id'] % 2 else {'b': 'x'}", "STRUCT(b VARCHAR, a BIGINT)", 0),
    ("{'a': 1} if record['id'] % 2 else {'a': 'x'}", "STRUCT(a VARCHAR)", 3),
    ("datetime(2024, 1, 1) if record['id'] % 2 else datetime(2024, 1, 1, tzinfo=UTC)", "TIMESTAMP WITH TIME ZONE", 3),
    ("2**53 + 1 if record['id'] % 2 else 0.5", "DOUBLE", 3),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "rejected"), MIXED)
@pytest.mark.parametrize("size", [1, 100])
def test_values_of_several_kinds(  # noqa: PLR0913, PLR0917 - columns of the table above
    bench: Bench, monkeypatch: pytest.MonkeyPatch, value: str, kind: str, rejected: int, size: int
) -> None:
    in_chunks_of(monkeypatch, size)
    text = (
        f"from decimal import Decimal\nfrom datetime import date, datetime, UTC\nrecord['x'] = {value}\nreturn record"
    )
    done = bench.apply("select * from range(6) t(id)", {"python": text})
    assert types(bench, done.relation) == {"id": "BIGINT", "x": kind}
    assert sum(each.rows for each in done.rejects) == rejected
    assert done.rows == 6 - rejected
    if rejected:
        assert "`x` " in rejects(bench, done)[0][-1]


def test_a_schema_that_grows_over_chunks_keeps_the_order_of_rows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    in_chunks_of(monkeypatch, 10)
    text = (
        "if record['id'] >= 20: record['late'] = 'x'\nif record['id'] >= 30: record['n'] = 300\n"
        "if record['id'] >= 40: record['n'] = 1.5\nreturn record"
    )
    done = bench.apply("select i as id, 1::tinyint as n from range(50) t(i)", {"python": text})
    assert types(bench, done.relation) == {"id": "BIGINT", "n": "DOUBLE", "late": "VARCHAR"}
    rows = bench.read(done.relation)
    assert [row[0] for row in rows] == list(range(50))
    assert [rows[place] for place in (0, 25, 35, 45)] == [(0, 1, None), (25, 1, "x"), (35, 300, "x"), (45, 1.5, "x")]
    assert done.origins == {"id": "id"}


def test_fields_that_are_gone_are_columns_that_are_gone(bench: Bench) -> None:
    done = bench.apply("select 1 a, 2 b, 3 c", {"python": "del record['b']\nreturn record"})
    assert types(bench, done.relation) == {"a": "INTEGER", "c": "INTEGER"}
    done = bench.apply("select 1 a, 2 b, 3 c", {"python": "return {'b': record['b'], 'z': record['a']}"})
    assert bench.table(done.relation).to_pylist() == [{"b": 2, "z": 1}]


def test_the_cursor_goes_on_where_records_change_or_drop_it(bench: Bench) -> None:
    for text in (
        "record['at'] = None\nreturn record",
        "return {'id': record['id']}",
        "del record['at']\nreturn record",
    ):
        done = bench.apply("select 1 as id, date '2024-01-01' as at", {"python": text}, cursor="at")
        assert done.cursor == "_pipelines_cursor"
        assert bench.table(done.relation).column("_pipelines_cursor").to_pylist() == [dt.date(2024, 1, 1)]
    done = bench.apply("select 1 as id, 2 as at", {"python": "record['id'] = 5\nreturn record"}, cursor="at")
    assert (done.cursor, types(bench, done.relation)) == ("at", {"id": "INTEGER", "at": "INTEGER"})


def test_records_do_not_see_columns_of_ours(bench: Bench) -> None:
    steps = {"map": {"id": "id"}}, {"python": "return {'keys': ','.join(record)}"}
    done = bench.apply("select 1 as id, 2 as at", *steps, cursor="at")
    assert bench.table(done.relation).to_pylist() == [{"_pipelines_cursor": 2, "keys": "id"}]
    assert done.cursor == "_pipelines_cursor"


def test_no_rows_have_the_columns_that_came_in(bench: Bench) -> None:
    for source in (f"{PEOPLE} where false", PEOPLE):
        done = bench.apply(source, {"python": "if record: return None\nreturn {'new': 1}"})
        assert (done.rows, types(bench, done.relation)) == (0, {"id": "INTEGER", "email": "VARCHAR"})


def test_capitals_do_not_make_two_columns(bench: Bench) -> None:
    with pytest.raises(InvalidData, match="records have `email` and `Email`, which SQL takes for one column"):
        bench.apply(PEOPLE, {"python": "record['Email'] = 1\nreturn record"})


def test_records_without_fields(bench: Bench) -> None:
    with pytest.raises(InvalidData, match="records came back without a single field"):
        bench.apply(PEOPLE, {"python": "return {}"})
