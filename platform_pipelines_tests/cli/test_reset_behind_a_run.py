"""A reset and a rewind that are asked for while another process reads: they wait for it, and then act."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.cli.commands import CONNECTORS
from platform_pipelines_tests.cli.test_interrupt import wait_for

if TYPE_CHECKING:
    import subprocess

    from platform_pipelines_tests.cli.commands import Folder

SLOW_SOURCE = """\
import pathlib, time
from typing import Literal
from platform_pipelines.connectors.files import FilesConnector

class Slow(FilesConnector):
    type: Literal["slow"] = "slow"

    def read(self, stream, window, resume):
        yield from super().read(stream, window, resume)
        if pathlib.Path("slow").exists():
            pathlib.Path("started").touch()
            while not pathlib.Path("go").exists():
                time.sleep(0.02)
"""
PLUG_IN = "[platform_pipelines.connectors]\nslow = slow_source:Slow\n"
ADDED, CHANGED = "4,5,2026-01-04 00:00:00\n", "id,amount,at\n4,6,2026-01-04 00:00:00\n"


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(orders: Folder) -> Iterator[Start]:
    """Starts a command; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> subprocess.Popen[bytes]:
        started.append(orders.start(*words))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def running(orders: Folder, start: Start, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[bytes]:
    """A second run of the pipeline, which has read a new row, and not landed it."""
    orders.write("slow_source.py", SLOW_SOURCE)
    orders.write("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    orders.write("slow-1.0.dist-info/entry_points.txt", PLUG_IN)
    orders.write("defs/connectors.yaml", CONNECTORS.replace("type: files", "type: slow"))
    monkeypatch.setenv("PYTHONPATH", str(orders.root))
    _run(orders)
    orders.write("slow", "")
    orders.write("in/orders.csv", (orders.root / "in/orders.csv").read_text() + ADDED)
    process = start("run", "orders", "--json")
    wait_for(orders.root / "started", process)
    return process


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--reset",), b"Reset 1 feed: all."), (("--rewind", "2026-01-01"), b"Rewound orders from ")],
    ids=["reset", "rewind"],
)
def test_it_queues_behind_a_live_run_and_takes_effect_after_it(
    orders: Folder, start: Start, running: subprocess.Popen[bytes], words: tuple[str, ...], said: bytes
) -> None:
    asked = start("state", "orders", *words, "--yes", "--json")
    assert asked.stderr is not None
    waiting = asked.stderr.readline()
    assert b"is being worked on by run pt-" in waiting
    assert f"(process {running.pid}".encode() in waiting
    assert waiting.endswith(b"Queued behind it; Ctrl-C gives up, and nothing is done.\n")
    assert (running.poll(), asked.poll()) == (None, None)
    assert _epochs(orders) == [("extract", 1), ("epoch", 1)], "nothing is done yet"
    orders.write("go", "")
    out, err = running.communicate(timeout=120)
    assert (running.returncode, json.loads(out)["rows"]["loaded"]) == (0, {"warehouse": 1}), err
    _, err = asked.communicate(timeout=120)
    assert (asked.returncode, err[: len(said)]) == (0, said)
    done = ("epoch", 2) if words == ("--reset",) else ("rewind", 1)
    assert _epochs(orders) == [done, ("extract", 1), ("extract", 1), ("epoch", 1)], "behind the run's own batch"
    assert orders.query("select id from raw.orders order by id") == [(1,), (3,), (4,)]
    orders.write("in/orders.csv", CHANGED)
    assert _run(orders)["rows"]["read"] == 1
    left = [(4, 6.0)] if words == ("--reset",) else [(1, 10.5), (3, 700.0), (4, 6.0)]
    assert orders.query("select id, amount from raw.orders order by id") == left


def _run(orders: Folder) -> dict[str, dict[str, int]]:
    process = orders.start("run", "orders", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, dict[str, int]] = json.loads(out)
    return found


def _epochs(orders: Folder) -> list[tuple[str, int]]:
    """What happened to the feed, newest first."""
    process = orders.start("state", "orders", "--history", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [(each["kind"], each["epoch"]) for each in json.loads(out)]
