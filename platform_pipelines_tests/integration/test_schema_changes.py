"""Schema changes between two runs: as the contract says, at every destination, every row accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from platform_pipelines_tests.integration.schema_changes import CHANGES, Change, Ends, Setting
from platform_pipelines_tests.integration.schema_world import TABLES

if TYPE_CHECKING:
    from platform_pipelines_tests.integration.schema_world import World


def _begin(world: World, column: str, value: str, contract: dict[str, str]) -> None:
    world.execute(f"create table t (id int primary key, at int, {column})")
    world.execute(f"insert into t values (1, 1, {value}), (2, 1, {value})")
    assert world.run(contract).status == "success"


def _check(world: World, ends: Ends) -> None:
    for name, kind in zip(TABLES, ends.types, strict=True):
        shown = ends.values if name == "pg" else ends.shown or ends.values
        expected = {str(number): value for number, value in zip((1, 2, 3), shown, strict=True) if value is not None}
        assert world.column(name) == (kind, expected), name


@pytest.mark.parametrize("setting", get_args(Setting))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_type_that_changed(world: World, change: Change, setting: Setting) -> None:
    contract = {"type_changes": setting}
    _begin(world, f"v {change.before[0]}", change.before[1], contract)
    before = world.everywhere()
    world.execute(
        f"alter table t alter v type {change.alter}", f"update t set at = 2, v = {change.new[0]} where id = 1"
    )
    world.execute(f"insert into t values (3, 2, {change.new[1]})")
    report, ends = world.run(contract), change.expected(setting)
    if ends is not None:
        assert (report.status, report.rejected) == ("success", ends.rejected), report.error
        _check(world, ends)
        return
    assert report.status == "failed"
    assert "The type of a column changed: `v`" in str(report.error)
    assert world.everywhere() == before, "nothing was loaded"
    if change.widen is not None:  # the contract is loosened: what was refused arrives
        assert world.run({"type_changes": "widen"}).error is None
        _check(world, change.widen)
        return
    assert change.anew
    assert world.run(contract, full_refresh=True).status != "success" or change.name == "text to int"
    report = world.run(contract, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    _check(world, change.anew)


@pytest.mark.parametrize("missing", ["fail", "null"])
@pytest.mark.parametrize("new", ["add", "ignore", "fail"])
@pytest.mark.parametrize("change", ["added", "dropped", "renamed", "added and dropped"])
def test_columns_that_come_and_go(world: World, change: str, new: str, missing: str) -> None:
    contract = {"new_columns": new, "missing_columns": missing}
    _begin(world, "v int", "5", contract)
    before = world.everywhere()
    alter = {
        "added": "add w int default 5",
        "dropped": "drop v",
        "renamed": "rename v to w",
        "added and dropped": "drop v, add w int default 5",
    }[change]
    world.execute(f"alter table t {alter}", "update t set at = 2 where id = 1", "insert into t (id, at) values (3, 2)")
    refused = (change != "dropped" and new == "fail") or (change != "added" and missing == "fail")
    report = world.run(contract)
    if refused:
        assert report.status == "failed"
        assert "columns: `" in str(report.error)
        assert world.everywhere() == before, "nothing was loaded"
        new, missing = "add" if new == "fail" else new, "null"
        report = world.run({"new_columns": new, "missing_columns": missing})
    assert report.status == "success", report.error
    source = dict(world.admin.execute("select id::text, to_jsonb(t) from t").fetchall())
    for name in TABLES:
        types, rows = world.content(name)
        assert ("w" in types) == (change != "dropped" and new == "add")
        assert "v" in types, "no column is ever dropped"
        loaded = {key: dict(zip(types, row, strict=True)) for key, row in rows.items()}
        assert loaded.keys() == source.keys()
        for key in ("1", "3"):  # rows that were read after the change
            for column in types:
                value = source[key].get(column)
                assert loaded[key][column] == (None if value is None else str(value)), (name, key, column)


@pytest.mark.parametrize("setting", get_args(Setting))
def test_another_order_of_columns_is_no_change(world: World, setting: Setting) -> None:
    contract = {"type_changes": setting, "new_columns": "fail", "missing_columns": "fail"}
    _begin(world, "v int, w text", "1, 'a'", contract)
    world.execute(
        "alter table t add x int", "update t set x = v", "alter table t drop v", "alter table t rename x to v"
    )
    world.execute("update t set at = 2, v = 7 where id = 1", "insert into t values (3, 2, 'c', 9)")
    assert world.run(contract).error is None
    for name in TABLES:
        assert world.column(name)[1] == {"1": "7", "2": "1", "3": "9"}
        assert world.column(name, "w")[1] == {"1": "a", "2": "a", "3": "c"}


@pytest.mark.parametrize("column", ["id", "at"])
def test_key_and_cursor_grow_as_other_columns_do(world: World, column: str) -> None:
    _begin(world, "v int", "1", {})
    world.execute(f"alter table t alter {column} type bigint", "update t set at = 2, v = 7 where id = 1")
    world.execute(
        f"insert into t (id, at, v) values {'(3000000000, 2, 9)' if column == 'id' else '(3, 3000000000, 9)'}"
    )
    assert world.run({}).error is None
    for name in TABLES:
        key = "3000000000" if column == "id" else "3"
        assert world.column(name)[1] == {"1": "7", "2": "1", key: "9"}
        assert world.content(name)[0][column].lower() == "bigint"
