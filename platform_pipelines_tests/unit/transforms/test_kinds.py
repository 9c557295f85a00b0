from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData, SpecError

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

THREE = "select * from (values (1, 10), (2, null), (3, 30)) t(id, amount)"


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("k", dropna=False, as_index=False)["n"].max()


def keep(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["id"] > 1]


def breaks(frame: pd.DataFrame) -> pd.DataFrame:
    return frame["absent"]


def wrong(_frame: pd.DataFrame) -> list[int]:
    return [1]


def mixed(_frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"a": [1, "x"]})


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame], axis=1)


NOT_CALLABLE = 3


def test_filter_drops_false_and_null(bench: Bench) -> None:
    done = bench.apply(THREE, {"filter": "amount > 10"})
    assert bench.read(done.relation) == [(3, 30)]
    assert (done.outcomes[0].rows_in, done.outcomes[0].rows_out) == (3, 1)


def test_filter_by_chance_chooses_once(bench: Bench) -> None:
    done = bench.apply("select range as i from range(1000)", {"filter": "random() < 0.5"})
    assert len(bench.read(done.relation)) == len(bench.read(done.relation)) == done.rows


def test_sql_computes_and_names_what_is_unchanged(bench: Bench) -> None:
    done = bench.apply(THREE, {"sql": "select *, amount * 2 as double, id as key from input -- all"}, cursor="id")
    assert bench.read(done.relation) == [(1, 10, 20, 1), (2, None, None, 2), (3, 30, 60, 3)]
    assert done.origins == {"id": "id", "amount": "amount", "key": "id"}
    assert done.cursor == "id"


def test_sql_of_several_rows_is_computed_once(bench: Bench) -> None:
    sql = "with r as (select *, row_number() over (order by id desc) n from input) select * from r where n < 3;"
    done = bench.apply(THREE, {"sql": sql})
    assert sorted(bench.read(done.relation)) == [(2, None, 2), (3, 30, 1)]
    assert done.origins == {"id": "id", "amount": "amount"}
    assert bench.connection.execute(
        "select count(*) from duckdb_tables() where table_name = $1", [done.relation]
    ).fetchall() == [(1,)]


def test_sql_that_drops_the_cursor_says_so(bench: Bench) -> None:
    assert bench.apply(THREE, {"sql": "select amount from input"}, cursor="id").cursor is None
    assert bench.apply(THREE, {"sql": "select id + 1 as id from input"}, cursor="id").cursor is None


def test_sql_that_fails_on_a_value_fails_in_its_own_step(bench: Bench) -> None:
    steps = [
        {"filter": "id > 0"},
        {"label": "Cast", "sql": "select cast('x' || id as int) as n from input"},
        {"filter": "n > 1"},
    ]
    with pytest.raises(
        InvalidData, match=r"Transform `Cast` \(sql, flights.yaml:12\) failed: .*Could not convert.*x1"
    ) as caught:
        bench.apply(THREE, *steps)
    assert "required: false" in str(caught.value)


def test_optional_transform_is_skipped_and_recorded(bench: Bench) -> None:
    done = bench.apply(
        THREE, {"required": False, "sql": "select cast('x' || id as int) as n from input"}, {"filter": "id = 1"}
    )
    assert bench.read(done.relation) == [(1, 10)]
    first, second = done.outcomes
    assert "Could not convert" in str(first.error)
    assert (first.rows_in, first.rows_out, second.error) == (3, 3, None)
    assert first.seconds > 0


def test_aggregate_keeps_null_groups_and_exact_sums(bench: Bench) -> None:
    source = (
        "select * from (values ('a', 9223372036854775807, 1.10::decimal(9,2)), ('a', 9223372036854775807, 2.20),"
        " (null, 1, null), (null, null, null), ('b', null, null)) t(k, n, d)"
    )
    values = {
        "rows": "count",
        "filled": "count:n",
        "sum": "sum:n",
        "money": "sum:d",
        "distinct": "count_distinct:n",
        "low": "min:n",
    }
    result = bench.apply(source, {"aggregate": {"by": ["k"], "values": values}})
    assert bench.read(result.relation) == [
        ("a", 2, 2, Decimal(18446744073709551614), Decimal("3.30"), 1, 9223372036854775807),
        ("b", 1, 0, None, None, 0, None),
        (None, 2, 1, Decimal(1), None, 1, 1),
    ]
    assert result.origins == {"k": "k"}


def test_aggregate_without_groups_is_one_row(bench: Bench) -> None:
    assert bench.rows(THREE, {"aggregate": {"values": {"n": "count", "mean": "avg:amount"}}}) == [(3, 20.0)]


def test_sum_of_text_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidData, match=r"`sum:k` needs numbers; `k` is VARCHAR"):
        bench.apply("select 'a' as k", {"aggregate": {"by": [], "values": {"s": "sum:k"}}})


def test_left_join_keeps_rows_and_multiplies_matches(bench: Bench) -> None:
    bench.tables["wh.raw.airports"] = pa.table({"faa": ["JFK", "JFK", None], "name": ["a", "b", "c"], "alt": [1, 2, 3]})
    source = "select * from (values (1, 'JFK'), (2, 'XXX'), (3, null)) t(id, dest)"
    body = {
        "with": {"connector": "wh", "table": "raw.airports"},
        "on": {"dest": "faa"},
        "select": ["name"],
        "prefix": "dest_",
    }
    done = bench.apply(source, {"join": body})
    assert sorted(bench.read(done.relation), key=str) == [
        (1, "JFK", "a"),
        (1, "JFK", "b"),
        (2, "XXX", None),
        (3, None, None),
    ]
    assert (done.outcomes[0].rows_in, done.outcomes[0].rows_out) == (3, 4)
    inner = bench.apply(source, {"join": {**body, "how": "inner"}})
    assert inner.rows == 2


def test_join_compares_numbers_with_text_as_text(bench: Bench) -> None:
    bench.tables["wh.t"] = pa.table({"code": ["1", "x"], "name": ["one", "ex"]})
    done = bench.apply("select 1 as id", {"join": {"with": {"connector": "wh", "table": "t"}, "on": {"id": "code"}}})
    assert bench.read(done.relation) == [(1, "one")]


def test_join_errors_name_the_columns(bench: Bench) -> None:
    bench.tables["wh.t"] = pa.table({"id": [1], "amount": [2]})
    other = {"connector": "wh", "table": "t"}
    with pytest.raises(InvalidData, match=r"would add the column `amount`, which is already there. Set `prefix`"):
        bench.apply(THREE, {"join": {"with": other, "on": {"id": "id"}}})
    with pytest.raises(InvalidData, match="`join` with wh `t` names the column `nam`"):
        bench.apply(THREE, {"join": {"with": other, "on": {"id": "id"}, "select": ["nam"]}})
    with pytest.raises(InvalidData, match=r"`join.on` names the column `ids`.*Did you mean `id`"):
        bench.apply(THREE, {"join": {"with": other, "on": {"ids": "id"}}})


def test_mask_hides_and_keeps_null(bench: Bench) -> None:
    source = "select * from (values (1, 'ä@b.c', '123'), (2, null, null)) t(id, email, phone)"
    done = bench.apply(source, {"mask": {"email": "sha256", "phone": "redact"}})
    digest = hashlib.sha256("ä@b.c".encode()).hexdigest()
    assert bench.read(done.relation) == [(1, digest, "***"), (2, None, None)]
    assert done.origins == {"id": "id"}


def test_mask_refuses_the_cursor(bench: Bench) -> None:
    with pytest.raises(InvalidData, match="would hide `id`, the cursor"):
        bench.apply(THREE, {"mask": {"id": "sha256"}}, cursor="id")


def test_function_gets_the_whole_batch(bench: Bench) -> None:
    source = "select * from (values ('a', 1), ('b', 9223372036854775807), ('a', null), (null, 4)) t(k, n)"
    done = bench.apply(source, {"function": f"{__name__}:tidy"})
    assert bench.read(done.relation) == [("a", 1), ("b", 9223372036854775807), (None, 4)]
    assert done.origins == {"k": "k", "n": "n"}


def test_function_keeps_the_cursor_it_returns(bench: Bench) -> None:
    done = bench.apply(THREE, {"function": f"{__name__}:keep"}, cursor="id")
    assert (bench.read(done.relation), done.cursor) == ([(2, None), (3, 30)], "id")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("breaks", InvalidData, "raised KeyError: 'absent'"),
        ("wrong", InvalidData, "returned list; it must return a pandas.DataFrame"),
        ("mixed", InvalidData, "returned a column that has no single type"),
        ("twice", InvalidData, "names must be texts and differ"),
        ("absent", SpecError, "has no `absent`"),
        ("NOT_CALLABLE", SpecError, "which is no function"),
    ],
)
def test_function_failures_are_named(bench: Bench, name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        bench.apply(THREE, {"function": f"{__name__}:{name}"})


def test_function_module_that_does_not_exist(bench: Bench) -> None:
    with pytest.raises(SpecError, match="importing `no_such_module_anywhere` failed"):
        bench.apply(THREE, {"function": "no_such_module_anywhere:tidy"})
    with pytest.raises(SpecError, match="must be written as `module:name`"):
        bench.apply(THREE, {"function": "tidy"})


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"python": "import os\nreturn record"}, "line 1: `import os` is not allowed"),
        ({"filter": ""}, "`filter` must be a text"),
        ({"filter": "id > (select 1)"}, "may not hold subqueries"),
        ({"sql": "drop table source"}, "it is no SELECT"),
        ({"sql": "select * from source"}, "reads only `input`, not `source`"),
        ({"mask": {"id": "md5"}}, "Unknown mask 'md5' for `id`. Allowed: sha256, redact, keep_last, tokenize"),
        ({"aggregate": {"by": "id", "values": {"n": "count"}}}, "`aggregate.by` must be a list"),
        ({"aggregate": {"by": [], "values": {"n": "median:id"}}}, "is 'median:id'. Allowed: count"),
        ({"aggregate": {"by": ["id"], "values": {"id": "count"}}}, "yields the column `id` twice"),
        ({"join": {"with": {"connector": "wh"}, "on": {"id": "id"}}}, "A join needs"),
        (
            {"join": {"with": {"connector": "wh", "table": "t"}, "on": {"id": "id"}, "how": "full"}},
            "Unknown `how: full`",
        ),
    ],
)
def test_steps_that_can_never_work_are_refused(bench: Bench, step: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        bench.apply(THREE, step)
    assert (caught.value.exit_code, str(caught.value).startswith("flights.yaml:11: ")) == (2, True)


def test_reader_errors_keep_their_type(bench: Bench) -> None:
    def failing(*_asked: Any) -> pa.RecordBatchReader:
        def batches() -> Any:
            yield pa.record_batch({"id": [1]})
            raise ConnectionResetError

        return pa.RecordBatchReader.from_batches(pa.schema([("id", pa.int64())]), batches())

    bench.lookup = failing  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        bench.apply(THREE, {"join": {"with": {"connector": "wh", "table": "t"}, "on": {"id": "id"}}})
