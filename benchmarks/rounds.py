"""Candidates take turns: one run of each a round, so that all meet the same machine; medians, spread, peak memory."""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FIGURES = re.compile(r"[0-9.]+ [0-9]+")
_KILOBYTES_IN_MEGABYTE = 1024
#: seconds that one run may take
_PATIENCE = 240


@dataclass(frozen=True)
class Candidate:
    """A command that does the work.

    Attributes:
        label: who.
        command: what is run, in a folder of its own.
        environment: variables beside this process's.
        before: made ready before each run, not timed.
        folder: where it runs every time; None for a new folder each time.
        missing: why it cannot be run; empty if it can.
    """

    label: str
    command: Sequence[str | Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    folder: Path | None = None
    missing: str = ""


@dataclass(frozen=True)
class Figures:
    """Seconds of whole processes and the largest resident set (MiB) of several runs."""

    seconds: tuple[float, ...]
    peak: float

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Slowest minus fastest, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


def play(candidates: Sequence[Candidate], repeats: int) -> dict[str, Figures | str]:
    """Run each candidate ``repeats`` times, in turns; figures by label, or why there are none."""
    found: dict[str, list[tuple[float, float]]] = {each.label: [] for each in candidates}
    failed = {each.label: each.missing for each in candidates if each.missing}
    for _ in range(repeats):
        for candidate in candidates:
            if candidate.label in failed:
                continue
            try:
                found[candidate.label].append(_once(candidate))
            except subprocess.CalledProcessError as error:
                failed[candidate.label] = f"failed: {_last_words(error.output)}"
    return {
        label: failed[label]
        if label in failed
        else Figures(tuple(seconds for seconds, _ in runs), max(peak for _, peak in runs))
        for label, runs in found.items()
    }


def _last_words(output: str) -> str:
    """The last line that a process wrote; the launcher's figures are behind it."""
    lines = [line for line in output.splitlines() if line.strip() and not _FIGURES.fullmatch(line.strip())]
    return lines[-1].strip()[:120] if lines else "no output"


def _once(candidate: Candidate) -> tuple[float, float]:
    if candidate.before is not None:
        candidate.before()
    if candidate.folder is not None:
        return _timed(candidate, candidate.folder)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        return _timed(candidate, folder)
    finally:
        shutil.rmtree(folder)


def _timed(candidate: Candidate, folder: Path) -> tuple[float, float]:
    # by way of a small process: a child's peak memory begins with that of the process it was made from
    launcher = [sys.executable, "-S", "-E", Path(__file__).with_name("launch.py")]
    environment = os.environ | {"PIPELINES_STORE": str(folder / "store")} | dict(candidate.environment)
    with (folder / "output").open("w+") as output:
        command = [str(part) for part in (*launcher, *candidate.command)]
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise subprocess.CalledProcessError(process.wait(), command, f"gave up after {_PATIENCE} s") from error
        output.seek(0)
        said = output.read()
    lines = said.splitlines() or [""]
    if code:
        raise subprocess.CalledProcessError(code, command, said or "no output")
    seconds, kilobytes = lines[-1].split()[-2:]
    return float(seconds), int(kilobytes) / _KILOBYTES_IN_MEGABYTE


def wait_until_quiet(limit: float = 60.0) -> None:
    """Wait until the machine has had little to do for two seconds; go on after ``limit`` seconds anyway."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        idle = _idle()
        time.sleep(2)
        if _idle() - idle > 0.85 * 2 * (os.cpu_count() or 1):
            return


def _idle() -> float:
    words = Path("/proc/stat").read_text().split(maxsplit=6)
    return int(words[4]) / os.sysconf("SC_CLK_TCK")
