"""What a destination is told to load, and whether it did.

Which batches that is, is left to ``loading``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.engine.extract import rereads
from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.errors import AccountingError
from platform_pipelines.model import DELETED_AT, Load, Offset
from platform_pipelines.store import refusals

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.loading import Pending, Target
    from platform_pipelines.model import Mode, Receipt
    from platform_pipelines.store import Manifest


def planned_load(target: Target, schema: pa.Schema, previous: Offset | None) -> Load:
    """The load that rows of ``schema`` would be behind ``previous``, for asking what it would change."""
    context, spec = target.context, target.spec
    return Load(
        feed=target.log.feed,
        table=spec.table,
        mode=spec.mode,
        schema=schema,
        offset=Offset(previous.epoch, previous.sequence + 1) if previous else Offset(1, 1),
        rows=0,
        token=context.token,
        key=spec.key,
        cursor=order_column(context, schema),
        previous=previous,
        fresh=previous is None or context.full_refresh or rereads(context.pipeline),
        allow_destructive=context.allow_destructive,
    )


def ordered(target: Target, group: Pending, schema: pa.Schema, rows: int) -> Load:
    """The load of so many rows of some batches."""
    deletes, spec = target.context.pipeline.source.deletes, target.spec
    field = deletes.field if deletes else None
    order = planned_load(target, schema, group.previous)
    if group.batches[0][0].kind == "deletes":
        # what the rows carry says how they were meant when they were found gone, whatever the YAML says now
        mode: Mode = "update" if DELETED_AT in schema.names else "delete"
        order = replace(order, mode=mode, cursor=None, own=True)
    last = group.batches[-1][0]
    return replace(
        order,
        offset=group.offset,
        rows=rows,
        fresh=group.fresh,
        destination=spec.name,
        batch=batch_name(last),
        awaited=frozenset() if target.connector.atomic else _awaited(target),
        batch_size=spec.batch_size,
        on_error=spec.on_error,
        delete_field=field if field in schema.names else None,
        delete_action=deletes.action if deletes else "soft",
        buffer_bytes=int(spec.buffer_size * 1_000_000),
        flush_seconds=spec.buffer_flush_timeout,
        threads=spec.max_concurrent_threads,
    )


def batch_name(manifest: Manifest, attempt: int = 1) -> str:
    """What a destination knows a batch by; rows that it refused and that come again have a name of their own."""
    name = f"{manifest.epoch}/{manifest.sequence}/{manifest.token}"
    return name if attempt == 1 else f"{name}/{attempt}"


def _awaited(target: Target) -> frozenset[str]:
    """The batches of refused rows that a replay brings next, or has begun to bring."""
    epoch = target.log.live_epoch()
    refused = [] if epoch is None else refusals.latest(target.log, epoch)
    mine = (each for each in refused if each.destination == target.spec.name)
    return frozenset(batch_name(target.log.manifest(each.epoch, each.sequence), each.attempt + 1) for each in mine)


def check(order: Load, receipt: Receipt, destination: str) -> None:
    """See to it that a destination counted the rows that it was given.

    Raises:
        AccountingError: it counted others.
    """
    counted = receipt.loaded + receipt.superseded + receipt.rejected
    if receipt.staged != order.rows or counted != receipt.staged:
        refused = f", {receipt.rejected} refused" if receipt.rejected else ""
        msg = (
            f"Destination `{destination}` was given {order.rows} rows of {order.feed.id} and counted {receipt.staged} "
            f"arrived, {receipt.loaded} loaded, {receipt.superseded} superseded{refused}. Look at the table before "
            "going on."
        )
        raise AccountingError(msg)
