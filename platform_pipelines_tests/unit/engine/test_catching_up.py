"""A destination that lags behind gets what it would have got batch by batch, whatever became of the types."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.engine.schemas import unified
from platform_pipelines.errors import SchemaDrift
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.engine.world import World

NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - a timestamp without zone
DAY = dt.date(2024, 1, 1)


def table(number: int, value: Any, kind: pa.DataType) -> pa.Table:
    fields = [("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("value", kind)]
    return pa.table([[number], [at(number)], [value]], schema=pa.schema(fields))


def duckdb_at(world: World, mode: str = "append") -> dict[str, Any]:
    path = world.root / "late.duckdb"
    return {"name": "late", "connector": {"type": "duckdb", "path": str(path)}, "table": "late", "mode": mode}


def loaded(world: World) -> list[Any]:
    import duckdb

    with duckdb.connect(str(world.root / "late.duckdb")) as connection:
        return [value for (value,) in connection.execute("select value from late order by id").fetchall()]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((DAY, pa.date32()), (NOON, pa.timestamp("us")), [dt.datetime(2024, 1, 1), NOON]),  # noqa: DTZ001
        ((1, pa.int32()), (2**60, pa.int64()), [1, 2**60]),
        ((2**60 + 1, pa.int64()), (Decimal("1.25"), pa.decimal128(38, 2)), [Decimal(2**60 + 1), Decimal("1.25")]),
        ((None, pa.null()), ("x", pa.string()), [None, "x"]),
    ],
)
def test_types_that_grow_between_batches(world: World, first: Any, second: Any, expected: list[Any]) -> None:
    project = world.project()
    for number, (value, kind) in enumerate((first, second), 1):
        world.put(table(number, value, kind))
        world.run(project, only="landing")
    world.run(project, only="validated")
    report = world.run(world.project(destinations=[duckdb_at(world)]))
    assert (report.error, loaded(world)) == (None, expected)


def test_batches_without_a_common_type_are_loaded_one_after_the_other(world: World) -> None:
    """A transform was changed meanwhile: text became a number, which fits into the column of text."""
    for number, kind in ((1, "varchar"), (2, "bigint")):
        world.put(table(number, "7", pa.string()))
        sql = f"select * replace (cast(value as {kind}) as value) from input"
        world.run(world.project(transforms=[{"sql": sql}]), only="landing")
        world.run(world.project(transforms=[{"sql": sql}]), only="validated")
    report = world.run(world.project(destinations=[duckdb_at(world)]))
    assert (report.error, loaded(world)) == (None, ["7", "7"])


def test_versions_without_a_cursor_count_as_they_would_have(world: World) -> None:
    """A version that lost its cursor is newer than those read before it, and older than those read behind it."""
    histories = {1: [5, None, 3, 4], 2: [5, None], 3: [None, 2], 4: [3, 5], 5: [5, None, 6, None]}
    source = {"connector": "mem", "stream": "rows", "mode": "incremental"}
    cursor = {"field": "at", "on_missing": "include", "lag": "10s"}
    merge = {"connector": "mem", "mode": "merge", "key": ["id"]}
    prompt, late = {"name": "prompt", "table": "prompt"} | merge, {"name": "late", "table": "late"} | merge
    project = world.project(source=source | {"cursor": cursor}, destinations=[prompt])
    for step in range(4):
        world.put(
            [
                {"id": number, "at": None if history[step] is None else at(history[step]), "step": step}
                for number, history in histories.items()
                if step < len(history)
            ]
        )
        assert world.run(project).error is None
    world.run(world.project(source=source | {"cursor": cursor}, destinations=[prompt, late]))
    found = {row["id"]: row["step"] for row in world.rows("prompt")}
    assert found == {row["id"]: row["step"] for row in world.rows("late")} == {1: 3, 2: 1, 3: 1, 4: 1, 5: 3}


def test_batches_of_one_extract_without_a_common_type_are_a_named_error() -> None:
    with pytest.raises(SchemaDrift, match=r"differ in the type of a column: `value` string → int64"):
        unified([pa.schema([("value", pa.string())]), pa.schema([("value", pa.int64())])])
    assert unified([]) == pa.schema([])
