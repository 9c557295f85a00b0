"""Rows as records to be sent: values that JSON can hold, and a key that each attempt repeats."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.http_template import Unfit, ready
from platform_pipelines.model import DELETED_AT
from platform_pipelines.rows import to_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from platform_pipelines.model import Load

#: of the keys that records get (RFC 9562, version 5)
_NAMESPACE = uuid.UUID("5f0c6a52-3d8e-5d6b-9d0f-1f0a7c3c9a11")
_SLICE = 1_000


@dataclass(frozen=True, slots=True)
class Record:
    """One row to be sent.

    Attributes:
        key: its idempotency key.
        values: what templates may name.
        row: the row, to be kept if it is refused.
        deletes: whether the row says that its record is gone.
        problem: why no request can hold it; None if one can.
    """

    key: str
    values: dict[str, Any]
    row: pa.RecordBatch = field(repr=False)
    deletes: bool = False
    problem: str | None = None


def records(load: Load, batches: pa.RecordBatchReader) -> Iterator[Record]:
    """The rows of a load, in order."""
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _SLICE):
            piece = batch.slice(start, _SLICE)
            for place, row in enumerate(to_rows(piece)):
                yield _record(load, row, piece.slice(place, 1), number)
                number += 1


def body_columns(names: list[str]) -> list[str]:
    """The columns of a body without a template: those of the source, and the mark of deleted rows."""
    return [name for name in names if not name.startswith("_pipelines_") or name == DELETED_AT]


def _record(load: Load, row: dict[str, Any], kept: pa.RecordBatch, number: int) -> Record:
    problem, values = None, {}
    for name, value in row.items():
        try:
            values[name] = ready(value)
        except Unfit as unfit:
            problem = f"`{name}` {unfit}"
    # appended rows may share a key, and each of them is to arrive
    by_key = load.key and load.mode != "append"
    of = [values.get(name) for name in load.key] if by_key else number
    said = json.dumps(
        [load.feed.id, load.destination, load.table, load.batch, load.mode, of], ensure_ascii=True, default=str
    )
    key = str(uuid.uuid5(_NAMESPACE, said))
    deletes = load.mode == "delete" or (
        load.delete_action == "hard" and load.delete_field is not None and row.get(load.delete_field) is not None
    )
    return Record(key, values, kept, deletes, problem)
