"""What a killed process leaves in the landing log is told from what is in use, and removed."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines.engine import status
from platform_pipelines.engine.runhistory import KILLED
from platform_pipelines.formats.folder import TableFolder
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines.store import Store, effects
from platform_pipelines_tests.unit.engine.world import World

if TYPE_CHECKING:
    from pathlib import Path

WORK = """
import sys
from pathlib import Path
from platform_pipelines.store import Store
runs = Store("store", Path(sys.argv[1])).runs
with runs.alive("p", "pt-killed"):
    runs.add("p", "pt-killed", "begin", {})
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def working(tmp_path: Path) -> subprocess.Popen[str]:
    """A process in the middle of a run."""
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_run_is_running_until_its_process_is_killed(tmp_path: Path, working: subprocess.Popen[str]) -> None:
    project = World(tmp_path).project()
    (run,) = status(project, "p")
    assert (run.status, run.error) == ("running", None)
    working.send_signal(signal.SIGKILL)
    working.communicate()
    (run,) = status(project, "p")
    assert (run.status, run.error) == ("failed", KILLED)


def test_a_run_in_dagster_is_what_its_steps_are(tmp_path: Path) -> None:
    project = World(tmp_path).project()
    runs = Store("store", tmp_path).runs

    def step(asset: str, state: str, **more: str) -> None:
        runs.add("p", "pt-dagster", "step", {"asset": asset, "state": state, **more})

    def shown() -> tuple[str, str | None]:
        (run,) = status(project, "p")
        return run.status, run.error

    with runs.alive("p", "pt-dagster"):
        step("p/landing", "begun")
        assert shown() == ("running", None)
    assert shown() == ("failed", KILLED)
    step("p/landing", "failed", error="The source is gone.")
    assert shown() == ("failed", "The source is gone.")
    step("p/landing", "begun")
    step("p/landing", "done")
    assert shown() == ("success", None)


def test_temporary_files_of_the_dead_go_and_those_in_use_stay(tmp_path: Path) -> None:
    (tmp_path / ".000001.json.0123.tmp").write_bytes(b"half")
    (tmp_path / "kept.json").write_bytes(b"{}")
    used = tmp_path / ".000002.json.4567.tmp"
    with used.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        effects.sweep(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [used.name, "kept.json"]
    effects.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_files_that_a_killed_load_had_replaced_go_although_nothing_is_to_be_loaded(tmp_path: Path) -> None:
    folder = TableFolder(tmp_path, "t", "parquet", TextOptions())
    rows = pa.table({"id": [1]})
    order = Load(Feed("p"), "t", "append", rows.schema, Offset(1, 1), 1, "pt-x", fresh=True)
    folder.load(order, rows.to_reader())
    (live,) = [path for path in folder.path.iterdir() if path.suffix == ".parquet"]
    for name in (live.name.replace("s000001", "s000000"), f".tmp-{live.name}", ".tmp-_pipelines_loads.manifest"):
        (folder.path / name).write_bytes(b"left behind")
    (folder.path / "notes.parquet").write_bytes(b"a person's")
    folder.tidy()
    names = {path.name for path in folder.path.iterdir()}
    assert names == {live.name, "notes.parquet", "_pipelines_loads.manifest", "_pipelines_loads.lock"}
