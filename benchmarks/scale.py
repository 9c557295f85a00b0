"""What people wait for as a landing log grows: 100 and 10,000 batches, partitions, dead letters and more.

A log that is flat answers in the same time on every line; in brackets the time over that of the first line.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import largelog
from benchmarks.measure import measure

if TYPE_CHECKING:
    from collections.abc import Callable

_QUESTIONS = ("state", "state --json", "next run", "dead-letters")
#: wrong rows in the file behind each batch where dead letters are measured
_DEAD = 1_000


def compare(repeats: int) -> None:
    _table("batches in one feed", (100, 1_000, 10_000), lambda base, n: _batches(base, n, 1), repeats)
    _table("dead letters", (100_000, 1_000_000, 10_000_000), lambda base, n: _batches(base, n // _DEAD, _DEAD), repeats)
    _table("partitions", (1_000, 10_000, 100_000), _partitions, repeats)


def _table(what: str, sizes: tuple[int, ...], make: Callable[[Path, int], None], repeats: int) -> None:
    print(f"\n{what}, seconds (times the first line)")
    print(f"{'':>12}" + "".join(f"{question:>20}" for question in _QUESTIONS))
    first: list[float] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-scale-") as name:
            base = Path(name)
            make(base, size)
            os.environ["PIPELINES_DEFS"] = str(base / "defs")
            found = [_asked(base, question, repeats) for question in _QUESTIONS]
        first = first or found
        cells = (f"{now:.2f} ({now / then:.1f})" for now, then in zip(found, first, strict=True))
        print(f"{size:12,}" + "".join(f"{cell:>20}" for cell in cells))


def _asked(base: Path, question: str, repeats: int) -> float:
    runs = [measure("scale_child.py", [question, "orders"], lambda: base, 1) for _ in range(repeats)]
    return statistics.median(run.work for run in runs)


def _batches(base: Path, batches: int, dead: int) -> None:
    largelog.add_batches(largelog.project(base, dead=dead), batches)


def _partitions(base: Path, partitions: int) -> None:
    largelog.add_partitions(largelog.project(base, partitioned=True), partitions)
