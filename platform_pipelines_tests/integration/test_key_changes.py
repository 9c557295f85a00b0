"""Another key between two runs: a new epoch takes it, everything else is refused or loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.integration.schema_world import TABLES

if TYPE_CHECKING:
    from platform_pipelines_tests.integration.schema_world import World


@pytest.mark.parametrize("key", [("code",), ("id", "code"), ("region",)])
def test_another_key_takes_a_new_epoch(world: World, key: tuple[str, ...]) -> None:
    """What was loaded by the old key is replaced; a primary key that the old one had made is no hindrance."""
    world.execute("create table t (id int, at int, code text not null, region text not null)")
    world.execute("insert into t values (1, 1, 'a', 'x'), (2, 1, 'b', 'x')")
    assert world.run({}).error is None
    changed = {
        ("code",): "insert into t values (1, 2, 'c', 'x')",
        ("id", "code"): "insert into t values (1, 2, 'c', 'x')",
        ("region",): "delete from t where id = 1",  # both rows that are loaded have the one key that is left
    }
    world.execute(changed[key])
    if key != ("region",):
        report = world.run({}, key=key, full_refresh=True)
        assert report.destinations["pg"].status == "failed"
        assert "The primary key of out.t is another than the key of this destination" in str(report.error)
    report = world.run({}, key=key, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    source = world.admin.execute("select id::text, code, region from t order by code").fetchall()
    for name in TABLES:
        assert sorted(world.rows(name, ("id", "code", "region")), key=lambda row: str(row[1])) == source
    world.execute("update t set at = 3, region = region || region")
    if key != ("region",):
        assert world.run({}, key=key).error is None
        assert {row[2] for name in TABLES for row in world.rows(name, ("id", "code", "region"))} == {"xx"}


@pytest.mark.parametrize("key", [("code",), ("id", "code")])
def test_a_key_that_the_source_has_only_now(world: World, key: tuple[str, ...]) -> None:
    """By the rows that are there it tells nothing apart, so all refuse it; a full refresh brings it everywhere."""
    world.execute("create table t (id int, at int)", "insert into t values (1, 1), (2, 1)")
    assert world.run({}).error is None
    before = world.everywhere()
    world.execute("alter table t add code text", "update t set at = 2, code = 'c' || id")
    world.execute("insert into t values (1, 2, 'z')")
    refused = world.run({}, key=key)
    assert {each.status for each in refused.destinations.values()} == {"failed"}
    assert {"has no column 'code'" in str(each.error) for each in refused.destinations.values()} == {True}
    assert world.everywhere() == before
    report = world.run({}, key=key, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    source = world.admin.execute("select id::text, at::text, code from t order by code").fetchall()
    for name in TABLES:
        assert sorted(world.rows(name, ("id", "at", "code")), key=lambda row: str(row[2])) == source


def test_a_key_of_the_table_without_a_new_epoch(world: World) -> None:
    """Rows are told apart by it from now on; PostgreSQL's primary key is the old one, and it says so."""
    world.execute("create table t (id int, at int, code text)", "insert into t values (1, 1, 'a'), (2, 1, 'b')")
    assert world.run({}).error is None
    world.execute("insert into t values (1, 2, 'z')")
    report = world.run({}, key=("code",))
    assert {name for name, each in report.destinations.items() if each.status == "success"} == {"duck", "lake"}
    assert "The constraint 't_pkey' of out.t refuses a row: Key (id)=(1) already exists." in str(report.error)
    assert "`pipelines run p --full-refresh --allow-destructive`" in str(report.error)
    assert world.run({}, key=("code",), full_refresh=True, allow_destructive=True).status == "success"
    for name in TABLES:
        assert sorted(world.rows(name, ("id", "code"))) == [("1", "a"), ("1", "z"), ("2", "b")]


def test_a_key_that_rows_of_other_feeds_lack_is_no_primary_key(world: World) -> None:
    world.execute("create table t (id int, at int)", "insert into t values (1, 1)")
    assert world.run({}).error is None
    world.execute("insert into out.t (id, at, _pipelines_feed) values (9, 1, 'other/all')")
    world.execute("alter table t add code text", "update t set code = 'a'")
    report = world.run({}, key=("code",), full_refresh=True, allow_destructive=True)
    assert "out.t holds rows of other feeds that have no code" in str(report.error)
    assert world.rows("pg", ("id",)) == [("1",), ("9",)]


def test_a_primary_key_of_the_users_own_stays(world: World) -> None:
    world.execute(
        "create schema out",
        "create table out.t (row bigint generated always as identity primary key, id int, at int, v int)",
    )
    world.execute("create table t (id int, at int, v int)", "insert into t values (1, 1, 5), (2, 1, 6)")
    for _ in range(2):
        report = world.run({}, full_refresh=True, allow_destructive=True)
        assert report.destinations["pg"].status == "success", report.error
    assert world.admin.execute("select count(*) from pg_constraint where conname = 't_pkey'").fetchone() == (1,)
    assert world.column("pg")[1] == {"1": "5", "2": "6"}
