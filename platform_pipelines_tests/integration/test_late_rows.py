"""PostgreSQL through whole runs: rows that commit late arrive, and rows that are gone go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.postgres import PostgresConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import RunReport, RunRequest, run
from platform_pipelines.engine.project import Project
from platform_pipelines.spec import Catalog, ConnectorSpec, pipeline_from_config
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUT = {"name": "out", "connector": "out", "table": "out", "mode": "merge", "key": ["id"]}


class World:
    """A pipeline from a table of PostgreSQL into memory."""

    def __init__(self, root: Path, dsn: str) -> None:
        self.root, self.dsn, self.space = root, dsn, root.name
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.admin.execute(
            "create table t (id int primary key, day date, at timestamptz default now(), v text default 'a')"
        )

    def run(self, dsn: str | None = None, request: dict[str, Any] | None = None, **changes: Any) -> RunReport:
        connectors = {"app": PostgresConnector(dsn=dsn or self.dsn), "out": MemoryConnector(space=self.space)}
        declared = {name: ConnectorSpec(name, each.type) for name, each in connectors.items()}
        source = {"connector": "app", "stream": "t", "mode": "incremental", "cursor": {"field": "at"}}
        config = {"name": "p", "source": source | changes.pop("source", {}), "destinations": [OUT]} | changes
        spec = pipeline_from_config(config, Catalog(self.root, self.root, declared), capabilities)
        catalog = Catalog(self.root, self.root, declared, {"p": spec})
        return run(
            Project(catalog, Store("store", self.root), self.root, connectors), RunRequest("p", **(request or {}))
        )

    def loaded(self) -> list[tuple[int, str]]:
        if "out" not in {stream.name for stream in MemoryConnector(space=self.space).streams()}:
            return []
        table = MemoryConnector(space=self.space).table("out")
        return sorted((row["id"], row["v"]) for row in table.to_pylist())

    def source(self) -> list[tuple[int, str]]:
        return self.admin.execute("select id, v from t order by id").fetchall()


@pytest.fixture
def world(tmp_path: Path, postgres_database: str) -> Iterator[World]:
    world = World(tmp_path, postgres_database)
    yield world
    world.admin.close()
    MemoryConnector.clear(world.space)


def test_rows_of_a_transaction_held_open_across_runs_arrive(world: World) -> None:
    world.admin.execute("insert into t (id) values (1)")
    world.run()
    with psycopg.connect(world.dsn) as late:
        late.execute("insert into t (id) values (2)")
        late.execute("update t set v = 'late', at = now() where id = 1")
        world.admin.execute("insert into t (id) values (3)")
        for _ in range(2):
            assert world.run().error is None
            assert world.loaded() == [(1, "a")]
        late.commit()
    assert world.run().error is None
    assert world.loaded() == world.source() == [(1, "late"), (2, "a"), (3, "a")]
    assert world.run().status == "nothing_new"


def test_rows_from_the_future_wait_and_hold_nothing_up(world: World) -> None:
    """A writer's clock is ahead, then set right: the watermark has never been there."""
    world.admin.execute("insert into t (id) values (1); insert into t (id, at) values (2, now() + interval '1 hour')")
    assert world.run().error is None
    assert world.loaded() == [(1, "a")]
    world.admin.execute("insert into t (id) values (3)")
    assert world.run().error is None
    assert world.loaded() == [(1, "a"), (3, "a")]
    world.admin.execute("update t set at = now(), v = 'set right' where id = 2")
    assert world.run().error is None
    assert world.loaded() == world.source()


def test_a_first_run_that_finds_no_rows_makes_the_table(world: World) -> None:
    """It used to fail at every destination, for want of columns."""
    report = world.run()
    assert (report.status, report.error) == ("success", None)
    assert world.loaded() == []
    world.admin.execute("insert into t (id) values (1)")
    assert world.run().error is None
    assert world.loaded() == world.source()


def test_a_role_that_does_not_see_others_needs_lag(world: World) -> None:
    """Documented: without pg_read_all_stats, `lag` must cover the longest transaction."""
    world.admin.execute("drop role if exists shortsighted; create role shortsighted login")
    world.admin.execute("grant select on t to shortsighted")
    dsn = world.dsn.replace("postgres@", "shortsighted@")
    for number, lag, found in ((1, "0s", [1]), (2, "1h", [1, 2])):
        with psycopg.connect(world.dsn) as late:
            late.execute(f"insert into t (id) values ({number})".encode())
            world.admin.execute(f"insert into t (id) values ({number + 10})".encode())
            world.run(dsn, source={"cursor": {"field": "at", "lag": lag}})
            late.commit()
        world.run(dsn, source={"cursor": {"field": "at", "lag": lag}})
        if lag == "0s":
            assert world.loaded() == [(11, "a")], "the row was passed by"
        else:
            assert [number for number, _ in world.loaded()] == [*found, 11, 12]
    world.admin.execute("drop owned by shortsighted; drop role shortsighted")


@pytest.mark.parametrize("options", [{}, {"query": "select t.*, 1 as one from t"}, {"where": "id < 200"}])
def test_keys_that_are_gone_are_read_cheaply_and_deleted(world: World, options: dict[str, Any]) -> None:
    world.admin.execute("insert into t (id) select generate_series(1, 50)")
    source = {"options": options, "deletes": {"detect": "key_difference", "action": "hard"}}
    world.run(source=source)
    for gone in (7, 50, 1):
        world.admin.execute(f"delete from t where id = {gone}; insert into t (id) values ({gone + 50})".encode())
        assert world.run(source=source).error is None
        assert world.loaded() == world.source()
    world.admin.execute("truncate t")
    report = world.run(source=source)
    assert "50 of the 50 keys" in str(report.error)
    assert len(world.loaded()) == 50


def test_deletes_see_the_rows_of_open_transactions_as_they_were(world: World) -> None:
    """A row deleted in a transaction that is open still is; one updated there is no deleted one."""
    world.admin.execute("insert into t (id) select generate_series(1, 40)")
    source = {"deletes": {"detect": "key_difference", "action": "hard"}}
    world.run(source=source)
    with psycopg.connect(world.dsn) as late:
        late.execute("delete from t where id = 1")
        late.execute("update t set v = 'b', at = now() where id = 2")
        assert world.run(source=source).error is None
        assert len(world.loaded()) == 40
        late.commit()
    assert world.run(source=source).error is None
    assert world.loaded() == world.source()


def test_check_says_that_a_role_does_not_see_others(world: World) -> None:
    world.admin.execute("drop role if exists shortsighted; create role shortsighted login")
    world.admin.execute("grant select on t to shortsighted")
    defs = world.root / "defs"
    defs.mkdir()
    (defs / "connectors.yaml").write_text('app: {type: postgres, dsn: "${env://TEST_DSN}"}\nconsole: {type: logger}\n')

    def check(role: str, cursor: str) -> tuple[int, list[str], str]:
        (defs / "p.yaml").write_text(
            f"name: p\nsource: {{connector: app, stream: t, mode: incremental, cursor: {cursor}}}\n"
            "destinations: [{connector: console}]\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "platform_pipelines", "check", "--connect", "--json"],
            cwd=world.root,
            env=os.environ | {"PIPELINES_DEFS": "defs", "TEST_DSN": world.dsn.replace("postgres@", f"{role}@")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)["warnings"], done.stderr

    code, warnings, shown = check("shortsighted", "{field: at}")
    assert (code, len(warnings)) == (0, 1)
    assert warnings[0].startswith("Pipeline `p`, source `app`: This role does not see the transactions of other roles")
    assert f"Warning: {warnings[0]}" in shown
    assert check("shortsighted", "{field: at, lag: 1h}")[:2] == (0, [])
    assert check("postgres", "{field: at}")[:2] == (0, [])
    world.admin.execute("drop owned by shortsighted; drop role shortsighted")
