"""Records that never became rows, kept as JSON with why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from platform_pipelines.model import Rejected
    from platform_pipelines.store import DataFile

#: file name prefix of such records
UNREAD_PREFIX = "unread"


def write_unread(folder: Path, rejected: Sequence[Rejected]) -> tuple[DataFile, ...]:
    """Write the records a source rejected, with columns record, rule, reason; at least one."""
    import pyarrow as pa

    table = pa.RecordBatch.from_pydict(
        {
            "record": [item.record for item in rejected],
            "rule": ["type"] * len(rejected),
            "reason": [item.reason for item in rejected],
        },
        schema=pa.schema([(name, pa.string()) for name in ("record", "rule", "reason")]),
    )
    writer = PartWriter(folder, table.schema, prefix=UNREAD_PREFIX)
    writer.write(table)
    return writer.close()
