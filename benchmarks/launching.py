"""From a launch in the UI to the start of the first step: Dagster's default launcher, and ours.

The web server, the daemon and its queue are real; a launch is what the UI sends for
*Materialize*. Times are those that Dagster recorded.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks import fleet
from platform_pipelines_tests.dagster_server import dagster_dev

if TYPE_CHECKING:
    from platform_pipelines_tests.dagster_server import Server

_TARGET = 1.5
_SIZES = (10, 1_000)
_OURS = Path(__file__).resolve().parents[1] / "dagster.yaml"
#: seconds after which the daemon and the warm process have loaded 1,000 pipelines too, and written down most schedules
_SETTLED = 30.0


def compare(repeats: int) -> None:
    print(f"\nlaunch in the UI to the first step's start, seconds (target: {_TARGET:g}), medians of {repeats}")
    print(f"{'pipelines':>10}{'default':>9}{'ours':>9}{'ratio':>9}")
    for pipelines in _SIZES:
        default, ours = (_measured(pipelines, repeats, warm=warm) for warm in (False, True))
        print(f"{pipelines:10,}{default:9.2f}{ours:9.2f}{default / ours:9.1f}")


def _measured(pipelines: int, repeats: int, *, warm: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-launch-", ignore_cleanup_errors=True) as name:
        base = Path(name)
        environment = {
            "PIPELINES_DEFS": str(fleet.write(base, pipelines)),
            "PIPELINES_STORE": str(base / "store"),
            "DAGSTER_HOME": str(_home(base / "home", warm=warm)),
        }
        with dagster_dev(base, environment) as server:
            time.sleep(_SETTLED)
            seconds = [_launch(server, f"orders_{number:04}") for number in range(repeats + 1)]
        return statistics.median(seconds[1:])  # the first one fills the web server's caches, in either way


def _home(folder: Path, *, warm: bool) -> Path:
    folder.mkdir()
    settings = yaml.safe_load(_OURS.read_text())
    if not warm:  # what Dagster does where nothing is said
        del settings["run_launcher"], settings["run_coordinator"]
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _launch(server: Server, pipeline: str) -> float:
    """Seconds from the request to the start of the first step."""
    asked = time.time()
    run = server.until(server.launch(*((pipeline, part) for part in ("landing", "validated", "lake"))))
    return min(at for kind, at, _ in run.events if kind == "ExecutionStepStartEvent") - asked
