"""Runs that a real web server and daemon launch, forked from the warm process of a real code server."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus

from platform_pipelines_tests.dagster_server import Run, Server, dagster_dev
from platform_pipelines_tests.orchestration.conftest import CONNECTORS, ORDERS, ROWS, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from platform_pipelines.orchestration.launcher.worker import Worker

STARTED = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
pytestmark = pytest.mark.xdist_group("launcher")

PROJECT = Path(__file__).parents[3]
FALLBACK = "This run starts from a new process"
LANDING = ("orders", "landing")
ALL = (LANDING, ("orders", "validated"), ("orders", "warehouse"))
#: waits for a file, so that a run can be met in the midst of a step
SLOW = """
import pathlib, time
def wait(frame):
    pathlib.Path("begun").touch()
    print("the transform waits")
    while not pathlib.Path("go_on").exists():
        time.sleep(0.1)
    return frame
"""
WAITING = ORDERS.replace("name: orders", "name: waiting").replace("raw.orders", "raw.waiting") + (
    "transforms: [{function: slow:wait}]\n"
)


@dataclass
class Site:
    """A project with its servers."""

    sandbox: Sandbox
    server: Server
    home: Path
    environment: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.sandbox.folder

    def warm(self, *assets: tuple[str, ...]) -> Run:
        """A run that was forked: tried again for as long as the warm process is loading."""
        for _ in range(60):
            run = self.server.until(self.server.launch(*assets))
            if not any(FALLBACK in each for each in run.messages("EngineEvent")):
                return run
            time.sleep(1)
        raise AssertionError(self.server.log.read_text())

    def waiting(self) -> tuple[str, Worker]:
        """A run of `waiting` in the midst of its transform, and its process."""
        for name in ("begun", "go_on"):
            (self.folder / name).unlink(missing_ok=True)
        self.sandbox.sql("shop", "insert into orders select max(id) + 1, now()::timestamp, 1, 'eu' from orders")
        run = self.server.launch(("waiting", "landing"), ("waiting", "validated"))
        self.server.until(run, lambda _: (self.folder / "begun").exists())
        with self.instance() as instance:
            return run, process(instance, run)

    def by_hand(self, asset: str) -> subprocess.Popen[bytes]:
        """``dagster asset materialize`` of one asset."""
        program = Path(sys.executable).with_name("dagster")
        command = [
            program,
            "asset",
            "materialize",
            "-m",
            "platform_pipelines.definitions",
            "--select",
            f'key:"{asset}"',
        ]
        environment = os.environ | self.environment
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL)

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))


def process(instance: dg.DagsterInstance, run: str) -> Worker:
    from platform_pipelines.orchestration.launcher.worker import worker_of

    found = instance.get_run_by_id(run)
    assert found is not None
    worker = worker_of(found.tags)
    assert worker is not None, [entry.message for entry in instance.all_logs(run) if FALLBACK in entry.message]
    return worker


def launched_again(instance: dg.DagsterInstance, run: str) -> str:
    """The run that the daemon launches in place of one that failed."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for found in instance.get_runs(filters=dg.RunsFilter(tags={"dagster/parent_run_id": run})):
            return found.run_id
        time.sleep(0.2)
    raise AssertionError(run)


def until(look: Callable[[], str]) -> str:
    """What there is to be seen, as soon as it is."""
    deadline = time.monotonic() + 120
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("warm")
    home = folder / "home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    (folder / "workspace.yaml").write_text("")
    (folder / "slow.py").write_text(SLOW)
    (folder / "sitecustomize.py").write_text("")  # code that every process imports
    sandbox = Sandbox(folder)
    sandbox.write("connectors.yaml", CONNECTORS)
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("waiting.yaml", WAITING)
    sandbox.sql("shop", ROWS)
    environment = {
        "PIPELINES_DEFS": str(folder / "defs"),
        "PIPELINES_STORE": str(folder / "store"),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(folder),
    }
    with dagster_dev(folder, environment) as server:
        yield Site(sandbox, server, home, environment)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_run_is_forked_and_does_what_runs_do(site: Site) -> None:
    run = site.warm(*ALL)
    assert run.status == "SUCCESS"
    assert site.sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    assert len(run.messages("MaterializationEvent")) == 3
    with site.instance() as instance:
        pid = process(instance, run.id).pid
    assert any(f"Started process for run (pid: {pid})" in each for each in run.messages("EngineEvent"))
    folder = Path(tempfile.gettempdir()) / f"platform-pipelines-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700  # nobody else reaches the warm process
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.glob("*.sock")} == {0o600}


def test_a_run_is_cancelled_and_what_it_printed_is_kept(site: Site) -> None:
    site.warm(LANDING)
    run, worker = site.waiting()
    assert worker.alive
    assert (Path(f"/proc/{parent(worker.pid)}/cmdline").read_bytes()).count(b"launcher.nursery") == 1
    with site.instance() as instance:
        found = instance.get_run_by_id(run)
        assert found is not None
        assert instance.run_launcher.check_run_worker_health(found).status == WorkerStatus.RUNNING
    assert site.server.terminate(run) == "TerminateRunSuccess"
    assert site.server.until(run).status == "CANCELED"
    deadline = time.monotonic() + 30
    while worker.alive:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    printed = "".join(path.read_text() for path in site.home.rglob("*.out"))
    assert "the transform waits" in printed


def test_a_run_begun_by_hand_that_waits_for_a_pool_is_cancelled(site: Site) -> None:
    site.warm(LANDING)
    first, holder = site.waiting()  # has the slot of the pool
    by_hand = site.by_hand("waiting/landing")
    try:
        with site.instance() as instance:
            run = until(lambda: next((each.run_id for each in instance.get_runs(STARTED) if each.run_id != first), ""))
            blocked = "Step blocked by limit for pool"
            site.server.until(run, lambda found: any(blocked in each for each in found.messages("EngineEvent")))
            worker = process(instance, run)
            assert (worker.pid, worker.alive) == (by_hand.pid, True)
            assert site.server.terminate(run) == "TerminateRunSuccess"
            by_hand.wait(60)
            assert (site.server.until(run).status, holder.alive) == ("CANCELED", True)
            record = instance.get_run_by_id(run)
            assert record is not None
            # had it been killed instead, its slots would be taken from it
            assert instance.run_launcher.check_run_worker_health(record).status == WorkerStatus.NOT_FOUND
    finally:
        by_hand.kill()
        (site.folder / "go_on").touch()
    assert site.server.until(first).status == "SUCCESS"


def test_assets_that_are_wiped_while_they_are_made(site: Site) -> None:
    site.warm(LANDING)
    run, _ = site.waiting()
    wiped = (("waiting", "landing"), ("waiting", "validated"))
    assert site.server.wipe(*wiped) == "AssetWipeSuccess"
    (site.folder / "go_on").touch()
    assert site.server.until(run).status == "SUCCESS"
    with site.instance() as instance:
        landing, validated = (instance.get_latest_materialization_event(dg.AssetKey(list(path))) for path in wiped)
        assert landing is None
        assert validated is not None
    assert site.server.until(site.server.launch(*wiped, ("waiting", "warehouse"))).status == "SUCCESS"
    wanted = site.sandbox.sql("shop", "select id from orders where amount is not null order by id")
    assert site.sandbox.sql("warehouse", "select id from raw.waiting order by id") == wanted


def test_a_run_that_is_killed_fails_at_once_and_the_next_one_is_forked_again(site: Site) -> None:
    site.warm(LANDING)
    run, worker = site.waiting()
    warm_process = parent(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    found = site.server.until(run)
    assert found.status == "FAILURE"
    assert any(f"({worker.pid}) was killed by signal 9. What was committed stays" in m for _, _, m in found.events)
    with site.instance() as instance:
        record = instance.get_run_by_id(run)
        assert record is not None
        health = instance.run_launcher.check_run_worker_health(record)
        assert health.status == WorkerStatus.NOT_FOUND
        assert str(worker.pid) in (health.msg or "")
        # the daemon launches the run again, as run_retries says: let it pass, or the next tests take it for theirs
        (site.folder / "go_on").touch()
        assert site.server.until(launched_again(instance, run)).status == "SUCCESS"
        again = site.server.until(site.server.launch(LANDING))
        assert again.status == "SUCCESS"
    os.kill(warm_process, 0)  # it survived


def test_a_run_reads_the_yaml_of_its_pipeline_as_it_is_then_and_no_other(site: Site) -> None:
    site.warm(LANDING)
    site.sandbox.write("orders.yaml", ORDERS.replace("raw.orders", "raw.moved"))
    site.sandbox.write("broken.yaml", "name: broken\nsource: [\n")
    run = site.server.until(site.server.launch(*ALL))
    assert run.status == "SUCCESS"
    assert not any(FALLBACK in each for each in run.messages("EngineEvent"))
    assert site.sandbox.sql("warehouse", "select count(*) > 6 from raw.moved") == [(True,)]


def test_a_change_of_code_is_seen_by_the_next_run_and_then_loaded_by_the_warm_process(site: Site) -> None:
    site.warm(LANDING)
    (site.folder / "sitecustomize.py").write_text("CHANGED = True\n")
    first = site.server.until(site.server.launch(*ALL))
    assert first.status == "SUCCESS"
    assert any(f"{FALLBACK}: code changed" in each for each in first.messages("EngineEvent"))
    assert site.warm(*ALL).status == "SUCCESS"


def test_without_the_warm_process_runs_start_as_dagster_starts_them(site: Site) -> None:
    site.warm(LANDING)
    _, worker = site.waiting()
    warm_process = parent(worker.pid)
    (site.folder / "go_on").touch()
    os.kill(warm_process, signal.SIGKILL)
    run = site.server.until(site.server.launch(LANDING))
    assert run.status == "SUCCESS"
    assert any(f"{FALLBACK}: no warm process listens" in each for each in run.messages("EngineEvent"))
