"""Finds the bad rows of a chunk and says of them why.

Bad rows get three columns: ``_pipelines_rule`` (the first rule of severity error
they failed), ``_pipelines_rules`` (all of them) and ``_pipelines_reason``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from platform_pipelines.kernels import call
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
    by_severity: dict[str, Mask] = {}
    for test, mask in zip(tests, failing, strict=True):
        if mask is not None:
            known = by_severity.get(test.severity)
            by_severity[test.severity] = mask if known is None else call("or", known, mask)
    warned, wrong = by_severity.get("warning"), by_severity.get("error")
    if wrong is None:
        return Split(None, None, 0 if warned is None else warned.true_count)
    flagged = 0 if warned is None else call("and_not", warned, wrong).true_count
    bad = rows.filter(wrong)
    picked = [
        (test, mask.filter(wrong))
        for test, mask in zip(tests, failing, strict=True)
        if test.severity == "error" and mask is not None
    ]
    return Split(wrong, _explained(bad, picked), flagged)


def passing(rows: pa.RecordBatch, wrong: Mask | None) -> pa.RecordBatch:
    """The rows of a chunk that are not bad."""
    return rows if wrong is None else rows.filter(call("invert", wrong))


def _explained(bad: pa.RecordBatch, picked: Sequence[tuple[RowTest, Mask]]) -> pa.RecordBatch:
    import pyarrow as pa

    failed = _failed([mask for _, mask in picked])
    ids: Any = pa.array([test.id for test, _ in picked], pa.string())
    named: Any = pa.ListArray.from_arrays(failed.offsets, ids.take(failed.values))
    columns = {
        "_pipelines_rule": call("list_element", named, 0),
        "_pipelines_rules": named,
        "_pipelines_reason": _reasons(bad, picked),
    }
    kept = [name for name in bad.schema.names if name not in columns]
    arrays = [*(bad.column(name) for name in kept), *columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=[*kept, *columns])


def _failed(masks: Sequence[Mask]) -> Any:  # noqa: ANN401 - lists of integers, which the stubs do not know
    """For each row the places of the masks that are true, ascending: one at least."""
    import pyarrow as pa

    width = pa.scalar(len(masks), pa.uint64())
    hits = [
        call("add", call("multiply", call("indices_nonzero", mask), width), pa.scalar(place, pa.uint64()))
        for place, mask in enumerate(masks)
    ]
    ordered: Any = pa.concat_arrays(hits)
    ordered = ordered.take(call("array_sort_indices", ordered))
    rows = call("divide", ordered, width)
    counts = reduce(lambda one, other: call("add", one, other), [mask.cast(pa.int32()) for mask in masks])
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), call("cumulative_sum", counts)])
    return pa.ListArray.from_arrays(offsets, call("subtract", ordered, call("multiply", rows, width)))


def _reasons(bad: pa.RecordBatch, picked: Sequence[tuple[RowTest, Mask]]) -> pa.StringArray:
    return words.listed([(mask, words.concat(test.reasons(bad), f" (rule {test.id})")) for test, mask in picked])
