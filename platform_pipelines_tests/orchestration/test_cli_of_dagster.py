"""Dagster's own commands, as README and how-to guides show them, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from platform_pipelines.engine import state
from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS, Sandbox

DAGSTER = Path(sys.executable).parent / "dagster"
PROJECT = Path(__file__).parents[2]
DAYS = {f"2024-01-0{day}" for day in range(1, 5)}


def dagster(sandbox: Sandbox, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    home = sandbox.folder / "home"
    home.mkdir(exist_ok=True)
    shutil.copy(PROJECT / "dagster.yaml", home)
    environment = {
        "PATH": os.environ["PATH"],
        "DAGSTER_HOME": str(home),
        "PIPELINES_DEFS": str(sandbox.folder / "defs"),
        "PIPELINES_STORE": str(sandbox.folder / "store"),
        **settings,
    }
    command = [str(DAGSTER), *arguments]
    return subprocess.run(command, cwd=sandbox.folder, env=environment, capture_output=True, text=True, check=False)


def test_a_range_is_materialized_by_one_command(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    select = ("--select", 'key:"orders/landing"+', "--partition-range", "2024-01-02...2024-01-03")
    done = dagster(sandbox, "asset", "materialize", "-m", "platform_pipelines.definitions", *select)
    assert done.returncode == 0, done.stderr
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(3,), (4,), (6,)]


def test_wiping_assets_makes_dagster_forget_and_nobody_else(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + "  - {connector: copy, table: orders, mode: append}\n" + DAILY)
    materialize = ("asset", "materialize", "-m", "platform_pipelines.definitions", "--select", 'key:"orders/*"')
    days = ("--partition-range", "2024-01-01...2024-01-04")
    assert dagster(sandbox, *materialize, *days).returncode == 0
    before = state(sandbox.project(), "orders")
    assert len(before.feeds) == len(DAYS)
    assert materialized(sandbox, "copy") == DAYS
    wiped = dagster(sandbox, "asset", "wipe", "--all", "--noprompt")
    assert wiped.returncode == 0, wiped.stderr
    assert materialized(sandbox, "copy") == set()
    assert state(sandbox.project(), "orders") == before
    again = dagster(sandbox, *materialize, *days)
    assert again.returncode == 0, again.stderr
    assert materialized(sandbox, "copy") == DAYS
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    assert sandbox.sql("copy", "select count(*), count(distinct id) from orders") == [(7, 7)]


def materialized(sandbox: Sandbox, destination: str) -> set[str]:
    """The partitions that Dagster takes for materialized."""
    with dg.DagsterInstance.from_config(str(sandbox.folder / "home")) as instance:
        return instance.get_materialized_partitions(dg.AssetKey(["orders", destination]))


def test_a_job_runs_in_processes_of_a_fork_server(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + "  - {connector: copy, table: orders, mode: append}\n")
    done = dagster(
        sandbox,
        *("job", "execute", "-m", "platform_pipelines.definitions", "-j", "orders"),
        PIPELINES_EXECUTOR="multiprocess",
    )
    assert done.returncode == 0, done.stderr
    assert "Launching subprocess" in done.stderr
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    assert sandbox.sql("copy", "select count(*) from orders") == [(7,)]


@pytest.mark.parametrize("command", [("definitions", "validate", "-m", "platform_pipelines.definitions")])
def test_a_mistake_in_the_yaml_is_shown_with_file_and_line(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("mode: merge", "mode: upsrt"))
    done = dagster(sandbox, *command)
    assert done.returncode != 0
    assert "defs/orders.yaml:17: Unknown mode `upsrt`" in done.stdout + done.stderr
