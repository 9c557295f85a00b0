"""Loading a code location of 10, 100 and 1,000 pipelines, against ``import dagster`` alone.

Loaded means: every asset, check, schedule, sensor and job is there and resolved. The
snapshot is what the code server then sends to the web server and the daemon.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from benchmarks import fleet
from benchmarks.measure import Measured, measure

_TARGET = 3.0
_SIZES = (10, 100, 1_000)
_PARTS = ("dagster", "definitions", "jobs", "seconds", "snapshot")


def compare(repeats: int) -> None:
    print(f"\ncode location, seconds of CPU (target: {_SIZES[-1]:,} pipelines loaded in {_TARGET:g})")
    parts = "".join(f"{part:>9}" for part in ("dagster", "ours", "jobs", "loaded", "ratio"))
    print(f"{'pipelines':>10}{parts}{'snapshot':>10}{'MB':>7}{'peak MB':>9}")
    for pipelines in _SIZES:
        with tempfile.TemporaryDirectory(prefix="bench-location-") as name:
            _row(pipelines, _measured(Path(name), pipelines, repeats))


def _measured(base: Path, pipelines: int, repeats: int) -> list[Measured]:
    os.environ["PIPELINES_DEFS"] = str(fleet.write(base, pipelines))
    return [measure("location_child.py", ["--snapshot"], lambda: base, 1) for _ in range(repeats)]


def _row(pipelines: int, runs: list[Measured]) -> None:
    dagster, ours, jobs, loaded, snapshot = (statistics.median(run.answer[part] for run in runs) for part in _PARTS)
    size, peak = runs[0].answer["bytes"] / 1e6, max(run.peak for run in runs)
    figures = f"{dagster:9.2f}{ours:9.2f}{jobs:9.2f}{loaded:9.2f}{loaded / dagster:9.2f}"
    print(f"{pipelines:10,}{figures}{snapshot:10.2f}{size:7.1f}{peak:9.0f}")
