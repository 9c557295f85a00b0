"""Offsets: how far each feed is loaded, kept beside the rows.

The table ``_pipelines_loads`` lives in the schema of its targets and changes
only in the transaction that changes the rows. Offsets of a table that is not there
count for nothing: whoever dropped it dropped the rows, and the log has them still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.duck import literal
from platform_pipelines.errors import OffsetConflict
from platform_pipelines.model import Offset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from platform_pipelines.model import Feed, Load
    from platform_pipelines.sql.tables import TableName


def create(table: TableName) -> str:
    """The statement that creates the table of offsets."""
    return (
        f"create table {table.offsets.sql} (feed varchar, target varchar, epoch bigint not null, "
        "sequence bigint not null, rows bigint not null, token varchar not null, loaded_at timestamp with time zone "
        "not null, primary key (feed, target))"
    )


def select(table: TableName, feed: Feed) -> str:
    """The query for a feed's offset: epoch and sequence."""
    return f"select epoch, sequence from {table.offsets.sql} where {_where(table, feed)}"


def select_all(table: TableName, pipeline: str) -> str:
    """The query for the offsets of all feeds of a pipeline: feed, epoch and sequence."""
    feeds = f"feed = {literal(pipeline)} or starts_with(feed, {literal(pipeline + '/')})"
    return f"select feed, epoch, sequence from {table.offsets.sql} where target = {literal(table.text)} and ({feeds})"


def forget_others(table: TableName, feed: Feed) -> str:
    """The statement that forgets what all other feeds have loaded into a table that is gone."""
    return f"delete from {table.offsets.sql} where target = {literal(table.text)} and feed <> {literal(feed.id)}"


def store(table: TableName, load: Load) -> str:
    """The statement that moves the feed's offset to the load's."""
    values = (
        f"{literal(load.feed.id)}, {literal(table.text)}, {load.offset.epoch}, {load.offset.sequence}, "
        f"{load.rows}, {literal(load.token)}, now()"
    )
    return (
        f"insert into {table.offsets.sql} (feed, target, epoch, sequence, rows, token, loaded_at) values ({values}) "
        "on conflict (feed, target) do update set epoch = excluded.epoch, sequence = excluded.sequence, "
        "rows = excluded.rows, token = excluded.token, loaded_at = excluded.loaded_at"
    )


def read(rows: Sequence[tuple[Any, ...]]) -> Offset | None:
    """The offset in the answer to :func:`select`."""
    return Offset(*rows[0]) if rows else None


def read_all(rows: Sequence[tuple[Any, ...]]) -> dict[str, Offset]:
    """The offsets in the answer to :func:`select_all`, by feed."""
    return {feed: Offset(epoch, sequence) for feed, epoch, sequence in rows}


def check(load: Load, stored: Offset | None) -> None:
    """Refuse a load that does not follow on what is there.

    Raises:
        OffsetConflict: the stored offset is not ``load.previous``.
    """
    if stored == load.previous:
        return
    shown = "nothing" if stored is None else f"epoch {stored.epoch}, batch {stored.sequence}"
    wanted = "nothing" if load.previous is None else f"epoch {load.previous.epoch}, batch {load.previous.sequence}"
    msg = (
        f"Table {load.table} holds {shown} of feed {load.feed.id!r}, but this load follows on {wanted}: another run "
        "loaded meanwhile. Nothing was written; run again."
    )
    raise OffsetConflict(msg)


def _where(table: TableName, feed: Feed) -> str:
    return f"feed = {literal(feed.id)} and target = {literal(table.text)}"
