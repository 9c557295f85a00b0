"""Writes down the rows that a destination refused, as dead letters are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.store import refusals
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.store import DataFile, FeedLog
    from platform_pipelines.store.refusals import Refusal

#: columns of a dead letter that say why it is one
BOOKKEEPING = ("_pipelines_rule", "_pipelines_rules", "_pipelines_reason")


def keep(log: FeedLog, refusal: Refusal, rows: pa.Table | None) -> None:
    """Make refused rows dead letters; a first attempt without any leaves nothing, a later one closes those before."""
    if refusals.committed(log, refusal) or (rows is None and refusal.attempt == 1):
        return
    files = () if rows is None else _written(log, refusal, rows)
    refusals.commit(log, replace(refusal, files=files))


def _written(log: FeedLog, refusal: Refusal, rows: pa.Table) -> tuple[DataFile, ...]:
    import pyarrow as pa

    rule = f"destination:{refusal.destination}"
    reasons = rows.column("_pipelines_reason")
    table = rows.drop_columns(["_pipelines_reason"])
    table = table.append_column("_pipelines_rule", pa.array([rule] * rows.num_rows, pa.string()))
    table = table.append_column("_pipelines_rules", pa.array([[rule]] * rows.num_rows, pa.list_(pa.string())))
    table = table.append_column("_pipelines_reason", reasons)
    writer = PartWriter(refusals.folder(log, refusal), table.schema, prefix="refused")
    for batch in table.to_batches():
        writer.write(batch)
    return writer.close()
