"""Run a script as a child process, several times: median seconds and peak memory.

A child prints one JSON object on its last line, with its own ``seconds`` of work
after imports.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
_KILOBYTES_IN_MEGABYTE = 1024


@dataclass(frozen=True)
class Measured:
    """Medians of several runs: seconds of work, seconds of the process; highest peak in MiB; last answer."""

    work: float
    process: float
    peak: float
    answer: dict[str, Any]


def measure(script: str, arguments: list[str], prepare: Callable[[], Path], repeats: int) -> Measured:
    """Run ``script`` ``repeats`` times, each in a folder made by ``prepare``, which is not timed."""
    runs = [_once(script, arguments, prepare()) for _ in range(repeats)]
    return Measured(
        work=statistics.median(run.work for run in runs),
        process=statistics.median(run.process for run in runs),
        peak=max(run.peak for run in runs),
        answer=runs[-1].answer,
    )


def _once(script: str, arguments: list[str], folder: Path) -> Measured:
    environment = os.environ | {"PIPELINES_STORE": str(folder / "store")}
    output = folder / "output"
    started = time.perf_counter()
    with output.open("wb") as stream:
        child = subprocess.Popen(
            [sys.executable, HERE / script, *arguments], cwd=folder, stdout=stream, env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    if child.returncode != 0:
        sys.exit(f"{script} failed with exit code {child.returncode}:\n{text}")
    answer = json.loads(text.splitlines()[-1])
    peak = usage.ru_maxrss / _KILOBYTES_IN_MEGABYTE  # Linux counts kilobytes
    return Measured(work=answer["seconds"], process=seconds, peak=peak, answer=answer)
