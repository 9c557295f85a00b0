"""200,000 records of a paged JSON API to Parquet and to DuckDB, against fetching and decoding them alone."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import HERE, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORDS, _PAGE = 200_000, 1_000
_TARGET = 3.0
_FLOOR = "httpx and orjson"
_RUNS = {
    _FLOOR: ("api_by_hand.py",),
    "run to Parquet": ("api_engine.py", "lake"),
    "run to DuckDB": ("api_engine.py", "warehouse"),
}


def compare(repeats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-api-") as name, _server() as url:
        numbers = itertools.count()

        def fresh() -> Path:
            folder = Path(name) / f"run-{next(numbers)}"
            folder.mkdir()
            return folder

        # one after the other in each round, so that what else the machine does hits all of them
        rounds = [
            {label: measure(script, [url, *more], fresh, 1) for label, (script, *more) in _RUNS.items()}
            for _ in range(repeats)
        ]
    print(f"\napi: {_RECORDS:,} records in pages of {_PAGE:,}")
    print(f"{'':22}{'seconds':>9}{'process':>9}{'peak MB':>9}{'ratio':>9}")
    for label in _RUNS:
        runs = [each[label] for each in rounds]
        ratio = statistics.median(each[label].process / each[_FLOOR].process for each in rounds)
        work, process = (
            statistics.median(figures) for figures in zip(*((r.work, r.process) for r in runs), strict=True)
        )
        print(f"{label:22}{work:9.2f}{process:9.2f}{max(r.peak for r in runs):9.0f}{ratio:9.2f}")
    print(f"target: ratio at most {_TARGET:g}")
    counts = {figures.answer["loaded"] for each in rounds for figures in each.values()}
    print("same counts" if counts == {_RECORDS} else f"COUNTS DIFFER: {counts}")


@contextlib.contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, str(HERE / "api_server.py"), str(_RECORDS), str(_PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.kill()
