"""A backfill of twenty partitions in random order while the schedule ticks and the source changes, all by Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from platform_pipelines.engine import RunRequest, run
from platform_pipelines_tests.torture.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.orchestration.conftest import Sandbox

PROJECT = Path(__file__).parents[2]
PARTITIONS = 20
#: processes that backfill, beside the one of the schedule
WORKERS = 2
TICKS = 2

CONNECTORS = """
app: {type: postgres, dsn: "${env://TEST_DSN}"}
pg: {type: postgres, dsn: "${env://TEST_DSN}", schema: loaded}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
DAILY = """
name: orders
source: {connector: app, stream: events, mode: incremental, cursor: {field: at}}
partitions: {by: day, field: day, start: 2024-01-01, lookback: 2}
schedule: {cron: "0 6 * * *"}
destinations:
  - {connector: pg, table: daily, mode: merge, key: [id]}
  - {connector: warehouse, table: raw.daily, mode: merge, key: [id]}
"""


@pytest.mark.timeout(900)
def test_twenty_partitions_in_random_order_while_the_schedule_ticks(
    sandbox: Sandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch, cases: Callable[[str, int], None]
) -> None:
    monkeypatch.setenv("TEST_DSN", postgres_database)
    sandbox.write("connectors.yaml", CONNECTORS)
    sandbox.write("orders.yaml", DAILY)
    (sandbox.folder / "dagster").mkdir()
    (sandbox.folder / "dagster" / "dagster.yaml").touch()
    _, chance = seeded("order of the backfill")
    keys = [f"2024-01-{day:02d}" for day in range(1, PARTITIONS + 1)]
    chance.shuffle(keys)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("create schema loaded")
        connection.execute("create table events (id int primary key, day date, at timestamptz, v text)")
        connection.execute(
            "insert into events select i, date '2024-01-01' + mod(i, %s), timestamptz '2024-03-01' + i * interval '1 s', 'a' "
            "from generate_series(1, 400) i",
            [PARTITIONS],
        )
    runs = _runs(_start(sandbox, postgres_database, "run", keys[0]))  # Dagster creates its own database unguarded
    begun = [_start(sandbox, postgres_database, "backfill", *keys[n::WORKERS]) for n in range(WORKERS)]
    begun.append(_start(sandbox, postgres_database, "live", str(TICKS)))
    runs += sum(_runs(process) for process in begun)
    assert run(sandbox.project(), RunRequest("orders", partitions=tuple(keys))).error is None
    with psycopg.connect(postgres_database) as connection:
        wanted = Counter(connection.execute("select id, v from events").fetchall())
        assert Counter(connection.execute("select id, v from loaded.daily").fetchall()) == wanted
    assert Counter(sandbox.sql("warehouse", "select id, v from raw.daily")) == wanted
    cases("concurrent runs of Dagster: a backfill beside the schedule", runs)


def _start(sandbox: Sandbox, dsn: str, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "DAGSTER_HOME": str(sandbox.folder / "dagster"),
        "PIPELINES_DEFS": str(sandbox.folder / "defs"),
        "PIPELINES_STORE": str(sandbox.folder / "store"),
        "PIPELINES_LOCK_WAIT": "120",
        "PYTHONPATH": str(PROJECT),
        "TEST_DSN": dsn,
    }
    program = [sys.executable, "-W", "ignore", "-m", "platform_pipelines_tests.orchestration.partition_runs", "orders"]
    return subprocess.Popen(
        [*program, *words],
        cwd=sandbox.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _runs(process: subprocess.Popen[str]) -> int:
    out, err = process.communicate()
    assert process.returncode == 0, err[-5000:]
    return int(out)
