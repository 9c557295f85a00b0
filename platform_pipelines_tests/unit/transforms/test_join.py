"""Joins: order of rows, rows without a match, rows with several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.transforms import join

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

SOURCE = "select * from (values (1, 'a'), (2, 'x'), (3, null), (4, 'a'), (5, 'b')) t(id, k)"
OTHER = pa.table({"k": ["b", "a", "a", None], "v": [1, 2, 3, 4]})


def body(**changes: Any) -> dict[str, Any]:
    return {"join": {"with": {"connector": "wh", "table": "t"}, "on": {"k": "k"}, **changes}}


def test_rows_keep_their_order_and_matches_theirs(bench: Bench) -> None:
    bench.tables["wh.t"] = OTHER
    assert bench.rows(SOURCE, body()) == [
        (1, "a", 2), (1, "a", 3), (2, "x", None), (3, None, None), (4, "a", 2), (4, "a", 3), (5, "b", 1),
    ]  # fmt: skip


def test_order_survives_a_table_larger_than_the_batch(bench: Bench) -> None:
    """DuckDB then reads the batch into its hash table, and what comes out follows the other table."""
    bench.tables["wh.t"] = pa.table({"k": range(1_000_000), "v": range(1_000_000)})
    rows = bench.rows("select range as id, (range * 7919) % 10000 as k from range(10000)", body())
    assert [row[0] for row in rows] == list(range(10_000))


def test_what_matches_is_counted(bench: Bench) -> None:
    bench.tables["wh.t"] = OTHER
    left = bench.apply(SOURCE, body()).outcomes[0]
    assert (left.rows_in, left.rows_out, left.dropped, left.added) == (5, 7, 0, 2)
    assert left.note == "2 rows without a match (1 with a NULL key), 2 rows with several matches"
    inner = bench.apply(SOURCE, body(how="inner")).outcomes[0]
    assert (inner.rows_in, inner.rows_out, inner.dropped, inner.added) == (5, 5, 2, 2)


def test_several_matches_may_be_refused(bench: Bench) -> None:
    bench.tables["wh.t"] = OTHER
    with pytest.raises(InvalidData, match="2 rows have several matches in wh `t`: k is no key there"):
        bench.apply(SOURCE, body(duplicates="fail"))
    assert bench.apply(SOURCE.replace("'a'", "'b'"), body(duplicates="fail")).rows == 5


def test_a_match_whose_values_are_null_is_a_match(bench: Bench) -> None:
    bench.tables["wh.t"] = pa.table({"k": ["a"], "v": pa.array([None], pa.int64())})
    outcome = bench.apply("select 'a' as k", body(how="inner")).outcomes[0]
    assert (outcome.rows_out, outcome.note) == (1, "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duplicates": "first"}, "Unknown `duplicates: first` of a join. Allowed: all, fail"),
        ({"with": {"connector": "wh", "table": "t", "stream": "t"}}, "but not both"),
        ({"with": {"connector": "wh"}}, "A join needs"),
        ({"with": {"connector": "wh", "table": "t", "options": "x"}}, "`join.with.options` must be a mapping"),
    ],
)
def test_joins_that_can_never_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        join.check(body(**changes)["join"])
