"""Runs that are re-executed in the UI of a real web server: they go on from what was landed, or are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines_tests.dagster_server import Server, dagster_dev
from platform_pipelines_tests.orchestration.conftest import CONNECTORS, DAILY, ORDERS, ROWS, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("launcher")

PROJECT = Path(__file__).parents[3]
PARTS = ("landing", "validated", "warehouse", "copy")


@dataclass
class Site:
    """A project, its web server, and the environment of both."""

    sandbox: Sandbox
    server: Server
    environment: dict[str, str]

    def failed(self, pipeline: str) -> str:
        """A run of all of a pipeline that failed, since a destination was down; it is up again."""
        path = self.sandbox.folder / "copy.duckdb"
        path.write_text("no database")
        run = self.server.until(self.server.launch(*((pipeline, part) for part in PARTS)))
        path.unlink()
        assert run.status == "FAILURE"
        assert self.sandbox.sql("warehouse", f"select count(*) from raw.{pipeline}") == [(7,)]
        return run.id

    def copied(self, pipeline: str) -> tuple[int, int]:
        """Rows in the table that is appended to, and how many of them differ."""
        (found,) = self.sandbox.sql("copy", f"select count(*), count(distinct id) from {pipeline}")
        return found[0], found[1]


def pipeline(name: str) -> str:
    landed = ORDERS.replace("name: orders", f"name: {name}").replace("raw.orders", f"raw.{name}")
    return landed + f"  - {{connector: copy, table: {name}, mode: append}}\nretries: {{max: 0}}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("again")
    home = folder / "home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    (folder / "workspace.yaml").write_text("")
    sandbox = Sandbox(folder)
    sandbox.write("connectors.yaml", CONNECTORS)
    for name in ("whole", "byhand", "renamed"):
        sandbox.write(f"{name}.yaml", pipeline(name))
    sandbox.write("days.yaml", pipeline("days") + DAILY)
    sandbox.sql("shop", ROWS)
    environment = {
        "PIPELINES_DEFS": str(folder / "defs"),
        "PIPELINES_STORE": str(folder / "store"),
        "DAGSTER_HOME": str(home),
    }
    with dagster_dev(folder, environment) as server:
        yield Site(sandbox, server, environment)


def test_from_failure_only_what_failed_is_done_again(site: Site) -> None:
    run = site.failed("whole")
    again = site.server.until(site.server.reexecute(run, "FROM_FAILURE"))
    assert again.status == "SUCCESS"
    assert len(again.messages("MaterializationEvent")) == 1
    assert site.copied("whole") == (7, 7)
    assert site.server.until(site.server.reexecute(run, "ALL_STEPS")).status == "SUCCESS"
    assert site.copied("whole") == (7, 7)


def test_from_failure_of_a_run_without_a_partition_all_of_its_partitions_are_loaded(site: Site) -> None:
    run = site.failed("days")
    assert site.server.until(site.server.reexecute(run, "FROM_FAILURE")).status == "SUCCESS"
    assert site.copied("days") == (7, 7)


def test_a_run_whose_destination_was_renamed_is_refused_and_the_new_one_is_loaded(site: Site) -> None:
    run = site.failed("renamed")
    site.sandbox.write("renamed.yaml", pipeline("renamed").replace("{connector: copy", "{name: other, connector: copy"))
    site.server.reload()
    assert "['renamed/copy'] were selected" in site.server.reexecute(run, "FROM_FAILURE")
    assert site.server.until(site.server.launch(("renamed", "other"))).status == "SUCCESS"
    assert site.copied("renamed") == (7, 7)


def test_a_run_begun_by_hand_is_refused_by_dagster_and_materialize_goes_on_from_it(site: Site) -> None:
    (site.sandbox.folder / "copy.duckdb").write_text("no database")
    program = Path(sys.executable).with_name("dagster")
    command = [program, "asset", "materialize", "-m", "platform_pipelines.definitions", "--select", 'key:"byhand/*"']
    environment = os.environ | site.environment
    done = subprocess.run(command, cwd=site.sandbox.folder, env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    (site.sandbox.folder / "copy.duckdb").unlink()
    with dg.DagsterInstance.from_config(site.environment["DAGSTER_HOME"]) as instance:
        (run,) = instance.get_run_ids(limit=1)
    assert "Expected non-None value: None" in site.server.reexecute(run, "FROM_FAILURE")
    assert site.server.until(site.server.launch(("byhand", "copy"))).status == "SUCCESS"
    assert site.copied("byhand") == (7, 7)
