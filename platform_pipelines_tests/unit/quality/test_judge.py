from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData, SpecError

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.quality.conftest import Court

PEOPLE = pa.table({"id": [1, 2, 3, 4], "age": [30, 200, None, 7], "email": ["a@b.c", "x", "", None]})


def test_rows_split_by_severity(court: Court) -> None:
    judgement = court.judge(
        PEOPLE,
        {"id": "complete", "type": "required", "fields": ["email"]},
        {"id": "age", "type": "range", "field": "age", "min": 0, "max": 150, "severity": "warning"},
        {"id": "adult", "type": "condition", "sql": "age >= 18", "severity": "info"},
    )
    assert (judgement.rows_in, judgement.good, judgement.rejected, judgement.flagged) == (4, 3, 1, 1)
    assert [rule.failed for rule in judgement.rules] == [1, 1, 1]
    assert [row["id"] for row in court.good] == [1, 2, 3]
    assert court.bad == [
        {
            "id": 4,
            "age": 7,
            "email": None,
            "_pipelines_rule": "complete",
            "_pipelines_rules": ["complete"],
            "_pipelines_reason": "email: NULL is not allowed (rule complete)",
        }
    ]
    assert judgement.score == pytest.approx(0.75)
    assert judgement.schema.names == ["id", "age", "email"]


def test_row_failing_several_rules_names_them_in_the_order_of_the_yaml(court: Court) -> None:
    rules: list[dict[str, Any]] = [
        {"id": "look", "type": "regex", "field": "email", "pattern": "(?=.*@)"},
        {"id": "age", "type": "range", "field": "age", "max": 150},
        {"id": "known", "type": "accepted", "field": "id", "values": [1, 3, 4]},
    ]
    court.judge(PEOPLE.slice(1, 1), *rules)
    (row,) = court.bad
    assert row["_pipelines_rule"] == "look"
    assert row["_pipelines_rules"] == ["look", "age", "known"]
    assert row["_pipelines_reason"] == (
        "email: 'x' does not match (?=.*@) (rule look); age: '200' is not at most 150 (rule age); "
        "id: '2' is not one of 1, 3, 4 (rule known)"
    )


def test_empty_text_is_a_value_and_null_passes_all_but_required(court: Court) -> None:
    rows = pa.table({"t": pa.array(["", None]), "n": pa.array([None, 1], pa.int64())})
    outcome = court.outcome(rows, {"type": "required", "fields": ["t"]})
    assert (outcome.failed, outcome.checked) == (1, 2)
    court.tables["wh.t"] = pa.table({"n": pa.array([], pa.int64())})
    for rule in (
        {"type": "regex", "field": "t", "pattern": "^$"},
        {"type": "range", "field": "n", "min": 0},
        {"type": "accepted", "field": "n", "values": [1]},
        {"type": "condition", "sql": "n > 0"},
        {"type": "unique", "fields": ["n"]},
    ):
        assert court.outcome(rows, rule).failed == 0, rule


def test_unique_keeps_the_newest_and_of_equals_the_first(court: Court) -> None:
    rows = pa.table(
        {
            "k": ["a", "a", "a", "b", "b", None, None, "c"],
            "seen": [1, 3, 3, None, None, 1, 1, 9],
            "row": list(range(8)),
        }
    )
    rule = {"type": "unique", "fields": ["k"]}
    assert court.outcome(rows, rule, cursor="seen").failed == 3
    assert [row["row"] for row in court.good] == [1, 3, 5, 6, 7]
    court.judge(rows, rule)
    assert [row["row"] for row in court.good] == [0, 3, 5, 6, 7]
    assert court.bad[0]["_pipelines_reason"] == "k: 'a' occurs more than once; another row is kept (rule unique_k)"


def test_unique_by_a_cursor_of_floats(court: Court) -> None:
    nan = float("nan")
    rows = pa.table({"k": ["a", "a", "a", "b", "b"], "seen": [None, 1.0, nan, 2.0, None], "row": list(range(5))})
    court.judge(rows, {"type": "unique", "fields": ["k"]}, cursor="seen")
    assert [row["row"] for row in court.good] == [2, 3]


@pytest.mark.parametrize("repeated", [1_000, 200_000])  # few are looked up by DuckDB
def test_unique_over_many_chunks(court: Court, repeated: int) -> None:
    rows = pa.table({"k": [i if i < 200_000 else i % repeated for i in range(400_000)], "best": list(range(400_000))})
    judgement = court.judge(rows, {"type": "unique", "fields": ["k"]}, cursor="best")
    assert (judgement.good, judgement.rejected) == (200_000, 200_000)
    newest = {row["k"]: row["best"] for row in court.good}
    assert all(newest[k] >= 400_000 - repeated for k in range(repeated))


def test_unique_of_several_fields(court: Court) -> None:
    rows = pa.table({"a": [1, 1, 1], "b": ["x", "y", "x"]})
    assert court.outcome(rows, {"type": "unique", "fields": ["a", "b"]}).failed == 1
    assert court.bad[0]["_pipelines_reason"].startswith("a, b: '1', 'x' occurs more than once")


def test_foreign_key_reads_one_column_once(court: Court) -> None:
    court.tables["wh.raw.t"] = pa.table({"k": ["a", None], "other": [1, 2]})
    rule = {
        "id": "known",
        "type": "foreign_key",
        "field": "k",
        "reference": {"connector": "wh", "table": "raw.t", "field": "k"},
    }
    outcome = court.outcome(pa.table({"k": ["a", "b", None]}), rule)
    assert (outcome.failed, outcome.detail) == (1, "1 of 3 rows failed: k must exist in wh raw.t.k.")
    assert court.bad[0]["_pipelines_reason"] == "k: 'b' does not exist in wh raw.t.k (rule known)"


def test_range_is_exact_at_the_edges(court: Court) -> None:
    big = 2**63 - 1
    assert court.outcome(pa.table({"n": [big, big - 1]}), {"type": "range", "field": "n", "max": big - 1}).failed == 1
    decimals = pa.table({"n": pa.array([Decimal("0.1"), Decimal("0.2")], pa.decimal128(5, 1))})
    assert court.outcome(decimals, {"type": "range", "field": "n", "min": 0.1, "max": 0.15}).failed == 1
    floats = pa.table({"n": [float("nan"), float("inf"), 1.0, None]})
    assert court.outcome(floats, {"type": "range", "field": "n", "min": 0}).failed == 1
    texts = pa.table({"n": ["12", "abc", "1e3", ""]})
    assert court.outcome(texts, {"type": "range", "field": "n", "min": 0, "max": 150}).failed == 3
    days = pa.table({"n": [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]})
    assert court.outcome(days, {"type": "range", "field": "n", "min": "2020-01-02"}).failed == 1


def test_more_rules_than_bits(court: Court) -> None:
    rules = [{"id": f"r{i}", "type": "range", "field": "id", "min": i} for i in range(130)]
    judgement = court.judge(PEOPLE, *rules)
    assert [rule.failed for rule in judgement.rules[:6]] == [0, 0, 1, 2, 3, 4]
    assert judgement.rules[129].failed == 4


def test_sample_is_json_ready_and_short(court: Court) -> None:
    rows = pa.table(
        {
            "n": pa.array([2**60] * 20),
            "d": pa.array([Decimal("1.10")] * 20, pa.decimal128(5, 2)),
            "t": pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 20, pa.timestamp("us", "UTC")),
            "b": [b"\xff"] * 20,
            "s": [{"x": float("nan")}] * 20,
        }
    )
    outcome = court.outcome(rows, {"id": "r", "type": "range", "field": "n", "max": 1})
    assert len(outcome.sample) == 10
    assert outcome.sample[0] == {
        "n": "1152921504606846976",
        "d": "1.10",
        "t": "2020-01-01T00:00:00+00:00",
        "b": "/w==",
        "s": {"x": "nan"},
        "_pipelines_reason": "n: '1152921504606846976' is not at most 1",
    }


def test_volume_and_freshness_judge_the_batch(court: Court) -> None:
    rows = pa.table({"at": pa.array([dt.datetime(2026, 2, 27, 12, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC"))})
    volume, fresh, stale = court.judge(
        rows,
        {"id": "volume", "type": "volume", "min_rows": 3},
        {"id": "fresh", "type": "freshness", "field": "at", "max_age": "2d"},
        {"id": "stale", "type": "freshness", "field": "at", "max_age": "1d"},
    ).rules
    assert (volume.failed, volume.checked, volume.detail) == (1, 1, "2 rows; at least 3 are expected.")
    assert (fresh.failed, stale.failed) == (0, 1)
    assert stale.detail.startswith("newest `at` is 2026-02-27T12:00:00+00:00, 2 days, 0:00:00 old")
    empty = court.judge(rows.slice(1), {"id": "fresh", "type": "freshness", "field": "at", "max_age": "2d"}).rules[0]
    assert (empty.failed, "holds no time" in empty.detail) == (1, True)


def test_no_rows(court: Court) -> None:
    judgement = court.judge(
        PEOPLE.slice(0, 0), {"type": "required", "fields": ["id"]}, {"type": "unique", "fields": ["id"]}
    )
    assert (judgement.rows_in, judgement.score, court.good) == (0, 1.0, [])


@pytest.mark.parametrize(
    ("rule", "kind", "message"),
    [
        (
            {"type": "range", "field": "aeg", "min": 1},
            InvalidData,
            r"Rule `range_aeg` \(range\) names the column `aeg`.*Did you mean `age`",
        ),
        (
            {"type": "condition", "sql": "age > (select 1)"},
            SpecError,
            r"Rule `condition` \(condition\): .*may not hold subqueries",
        ),
        (
            {"type": "condition", "sql": "cast(email as int) > 1"},
            InvalidData,
            "Rule `condition`.*cannot be computed.*Could not convert",
        ),
        (
            {"type": "range", "field": "age", "min": "2020-01-01"},
            SpecError,
            "Rule `range_age`: '2020-01-01' cannot bound a column of integer",
        ),
        ({"type": "freshness", "field": "age", "max_age": "1d"}, InvalidData, "needs a time; `age` is BIGINT"),
    ],
)
def test_rules_that_cannot_judge_are_named(
    court: Court, rule: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        court.judge(PEOPLE, rule)


def test_nested_values_cannot_be_compared(court: Court) -> None:
    with pytest.raises(InvalidData, match="cannot judge `s` of type STRUCT"):
        court.judge(pa.table({"s": [{"x": 1}]}), {"type": "accepted", "field": "s", "values": [1]})


def test_columns_named_like_our_own_aliases(court: Court) -> None:
    rows = pa.table({"key": [1, 1], "best": [1, 2], "f0": [1, 1], "h": [1, 1], "judged": [1, 1]})
    assert court.outcome(rows, {"type": "unique", "fields": ["key", "f0", "h", "judged"]}, cursor="best").failed == 1
    assert court.good == [{"key": 1, "best": 2, "f0": 1, "h": 1, "judged": 1}]
