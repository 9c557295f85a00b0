"""Finds the bad rows of a chunk and says of them why.

Bad rows get three columns: ``_pipelines_rule`` (the first rule of severity error
they failed), ``_pipelines_rules`` (all of them) and ``_pipelines_reason``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.quality import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from platform_pipelines.quality.rowtest import RowTest
    from platform_pipelines.quality.words import Mask


@dataclass(frozen=True, slots=True)
class Split:
    """A chunk, split: which rows are bad, they with their reasons (both None if there are none), flagged good rows."""

    wrong: Mask | None
    bad: pa.RecordBatch | None
    flagged: int


def split(rows: pa.RecordBatch, tests: Sequence[RowTest], failing: Sequence[Mask | None]) -> Split:
    """Split one chunk by the masks of its tests, in the same order."""
    import pyarrow as pa

    by_severity: dict[str, Mask] = {}
    for test, mask in zip(tests, failing, strict=True):
        if mask is not None:
            known = by_severity.get(test.severity)
            by_severity[test.severity] = mask if known is None else known | mask
    warned, wrong = by_severity.get("warning"), by_severity.get("error")
    if wrong is None:
        return Split(None, None, 0 if warned is None else int(warned.sum()))
    flagged = 0 if warned is None else int((warned & ~wrong).sum())
    bad = rows.filter(pa.array(wrong))
    picked = [
        (test, mask[wrong])
        for test, mask in zip(tests, failing, strict=True)
        if test.severity == "error" and mask is not None
    ]
    return Split(wrong, _explained(bad, picked), flagged)


def passing(rows: pa.RecordBatch, wrong: Mask | None) -> pa.RecordBatch:
    """The rows of a chunk that are not bad."""
    import pyarrow as pa

    return rows if wrong is None else rows.filter(pa.array(~wrong))


def _explained(bad: pa.RecordBatch, picked: Sequence[tuple[RowTest, Mask]]) -> pa.RecordBatch:
    import numpy as np
    import pyarrow as pa

    ids: Any = pa.array([test.id for test, _ in picked], pa.string())
    matrix = np.column_stack([mask for _, mask in picked])
    offsets = np.concatenate([[0], np.cumsum(matrix.sum(axis=1))]).astype(np.int32)
    columns = {
        "_pipelines_rule": ids.take(pa.array(matrix.argmax(axis=1))),
        "_pipelines_rules": pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()), ids.take(pa.array(np.nonzero(matrix)[1]))
        ),
        "_pipelines_reason": _reasons(bad, picked),
    }
    kept = [name for name in bad.schema.names if name not in columns]
    arrays = [*(bad.column(name) for name in kept), *columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=[*kept, *columns])


def _reasons(bad: pa.RecordBatch, picked: Sequence[tuple[RowTest, Mask]]) -> pa.StringArray:
    return words.listed([(mask, words.concat(test.reasons(bad), f" (rule {test.id})")) for test, mask in picked])
