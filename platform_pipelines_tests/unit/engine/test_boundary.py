"""What a read leaves to the next: hashes of the rows at its highest cursor, whenever they were taken."""

from __future__ import annotations

import base64
import subprocess
import sys

import pyarrow as pa
import pytest

from platform_pipelines.cursor import Cursor
from platform_pipelines.engine.boundary import Boundary

_HASH = 16


def _batch(cursors: list[int | None]) -> pa.RecordBatch:
    return pa.record_batch({"at": pa.array(cursors, pa.int64()), "row": pa.array(range(len(cursors)), pa.int64())})


def _left(batches: list[list[int | None]], lag: int) -> dict[str, int]:
    """How many hashes are kept, by cursor."""
    boundary = Boundary("at", {}, (), lambda high: Cursor("int", str(int(high.text) - lag)))
    for cursors in batches:
        boundary.observe(_batch(cursors))
    kept = boundary.leave(boundary.high, complete=True)
    return {key: len(base64.b64decode(packed)) // _HASH for key, packed in kept.items()}


@pytest.mark.parametrize(
    ("batches", "lag", "left"),
    [
        ([[1, 2, 2], [2, 3]], 0, {"=3": 1}),
        ([[3, 3], [1, 3]], 0, {"=3": 3}),
        ([[3, 1], [2]], 1, {"=3": 1, "=2": 1}),
        ([[9, None], [None, 1]], 0, {"=9": 1, "null": 2}),
        ([[None]], 0, {"null": 1}),
    ],
)
def test_hashes_are_those_of_rows_that_the_next_read_meets(
    batches: list[list[int | None]], lag: int, left: dict[str, int]
) -> None:
    assert _left(batches, lag) == left


def test_more_rows_than_may_wait_are_hashed_on_the_way() -> None:
    assert _left([[5] * 60_000, [5] * 60_000, [5], [4]], 0) == {"=5": 120_001}
    assert _left([[5] * 120_000, [6]], 0) == {"=6": 1}


_NOTHING_NEW = """
import sys
class Absent:  # they import them all; a run that needs none does without them, see cli.lean
    def find_spec(name, path=None, target=None):
        if name in {"pandas", "pyarrow.dataset"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent)
import pyarrow as pa
from platform_pipelines.cursor import Cursor
from platform_pipelines.engine.boundary import Boundary
rows = pa.record_batch({"at": pa.array([1, 2, 2], pa.timestamp("us", "UTC"))})
first = Boundary("at", {}, (), lambda high: high)
first.observe(rows)
owed = first.leave(first.high, complete=True)
second = Boundary("at", owed, first.columns, lambda high: high)
print(second.drop_known(rows, first.high).num_rows, "pyarrow.compute" in sys.modules)
"""


def test_what_a_run_with_nothing_new_does_needs_no_documentation_of_arrows_functions() -> None:
    ended = subprocess.run([sys.executable, "-c", _NOTHING_NEW], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["1", "False"]
