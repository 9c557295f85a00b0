"""The demo's flights, all months in one engine run, against the same work by hand in DuckDB SQL."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from benchmarks.measure import Measured, measure
from platform_pipelines.demo.data import prepare
from platform_pipelines.engine import RunRequest, open_project, run
from platform_pipelines.engine.project import PACKAGED_DEFS

_TARGET = 2.0


def compare(repeats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-flights-") as name:
        base = Path(name)
        template = _template(base / "template")
        folders = iter(range(1_000))

        def fresh() -> Path:
            return Path(shutil.copytree(template, base / f"run-{next(folders)}"))

        by_hand = measure("flights_by_hand.py", [], fresh, repeats)
        engine = measure("flights_engine.py", [str(PACKAGED_DEFS)], fresh, repeats)
    same = all(by_hand.answer[count] == engine.answer[count] for count in ("read", "rejected", "loaded"))
    print(f"\nflights: {engine.answer['read']:,} rows read, {engine.answer['rejected']:,} rejected")
    print(f"{'':14}{'seconds':>9}{'process':>9}{'peak MB':>9}")
    for label, figures in (("by hand", by_hand), ("engine", engine)):
        print(f"{label:14}{figures.work:9.2f}{figures.process:9.2f}{figures.peak:9.0f}")
    print(f"ratio         {_ratio(by_hand, engine)}  (target: below {_TARGET:g})")
    print("same counts" if same else f"COUNTS DIFFER: {by_hand.answer} {engine.answer}")


def _ratio(floor: Measured, ours: Measured) -> str:
    return f"{ours.work / floor.work:9.2f}{ours.process / floor.process:9.2f}"


def _template(folder: Path) -> Path:
    """A folder with the input and the three reference tables loaded: where both begin."""
    folder.mkdir()
    with contextlib.chdir(folder):  # relative paths of the demo lie under the current folder
        prepare(folder)
        project = open_project(PACKAGED_DEFS, folder / "store")
        for name in ("airlines", "airports", "planes"):
            run(project, RunRequest(pipeline=name))
    return folder
