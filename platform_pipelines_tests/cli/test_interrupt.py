from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.cli.commands import CONNECTORS

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from platform_pipelines_tests.cli.commands import Folder

SLOW = """\
import pathlib, time

def tidy(frame):
    if pathlib.Path("slow").exists():
        pathlib.Path("started").touch()
        time.sleep(120)
    return frame
"""
TURNED = """\
try:
            time.sleep(120)
        except KeyboardInterrupt:
            raise AttributeError("partially initialized module") from None"""
SLOW_CONNECTOR = """\
import pathlib, time
from typing import Literal
from platform_pipelines.connectors.duckdb import DuckDBConnector

class Slow(DuckDBConnector):
    type: Literal["slow"] = "slow"

    def load(self, load, batches):
        if pathlib.Path("slow").exists():
            pathlib.Path("started").touch()
            time.sleep(120)
        return super().load(load, batches)
"""
PLUG_IN = "[platform_pipelines.connectors]\nslow = slow_connector:Slow\n"
SAID = b"Interrupted; nothing half done: run it again.\n"


@pytest.fixture
def slow(orders: Folder) -> Folder:
    orders.write("slow_module.py", SLOW)
    path = orders.root / "defs" / "sales" / "orders.yaml"
    path.write_text(path.read_text() + "transforms:\n  - function: slow_module:tidy\n")
    orders.write("slow", "")
    return orders


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_ctrl_c_in_the_middle_says_one_line_and_the_next_run_is_whole(slow: Folder) -> None:
    process = slow.start("run", "orders")
    wait_for(slow.root / "started", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", SAID)
    (run,) = slow.type("status", "orders", "--json").json
    assert (run["status"], run["error"]) == ("failed", "Interrupted.")
    (slow.root / "slow").unlink()
    answer = slow.type("run", "orders", "--json")
    assert answer.code == 0
    assert slow.query("select id from raw.orders order by id") == [(1,), (3,)]


def test_ctrl_c_that_a_library_turns_into_another_error_is_still_one(slow: Folder) -> None:
    """As imports of pandas do that begin in C."""
    slow.write("slow_module.py", SLOW.replace("time.sleep(120)", TURNED))
    process = slow.start("run", "orders", "--json")
    wait_for(slow.root / "started", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, SAID)
    (recorded,) = slow.type("status", "orders", "--json").json
    printed = json.loads(out)
    assert (printed["error"], printed["token"]) == (SAID.decode().strip(), recorded["token"])


def test_ctrl_c_while_a_loader_thread_is_busy_does_not_wait_for_it(
    orders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.write("slow_connector.py", SLOW_CONNECTOR)
    orders.write("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    orders.write("slow-1.0.dist-info/entry_points.txt", PLUG_IN)
    orders.write("slow", "")
    orders.write("defs/connectors.yaml", CONNECTORS.replace("duckdb,", "slow,"))
    monkeypatch.setenv("PYTHONPATH", str(orders.root))
    process = orders.start("run", "orders")
    wait_for(orders.root / "started", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", SAID)
    (orders.root / "slow").unlink()
    again = orders.start("run", "orders", "--json")
    out, _ = again.communicate()
    assert json.loads(out)["rows"]["loaded"] == {"warehouse": 2}
    assert orders.query("select id from raw.orders order by id") == [(1,), (3,)]


def test_ctrl_c_with_json_still_prints_one_object(slow: Folder) -> None:
    process = slow.start("run", "orders", "--json")
    wait_for(slow.root / "started", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, SAID)
    assert json.loads(out)["status"] == "failed"
    assert json.loads(out)["error"] == SAID.decode().strip()
