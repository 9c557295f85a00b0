"""The zones in which times without one were read: noted with each batch, and the same from one read to the next.

A naive timestamp is another instant in another zone, and a period that begins at
midnight holds other instants: where a read ended says nothing in another zone.
How a window is bounded in its zone is left to ``window`` and the connectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import CursorError

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import FeedLog, Manifest

#: keys of ``Manifest.zones``
CURSOR, PARTITION = "cursor", "partition"


def zones_of(spec: PipelineSpec, schema: pa.Schema | None, previous: Manifest | None) -> dict[str, str]:
    """The zones that decided about the rows of a batch, by what they are of; those of the batch before where none came.

    Args:
        spec: the pipeline.
        schema: the columns that came; None where nothing did.
        previous: the batch before it in the epoch, if any.
    """
    found = dict(previous.zones) if previous else {}
    if schema is None:
        return found
    cursor, partitions = spec.source.cursor, spec.time_partitions
    if cursor is not None and cursor.timezone and spec.source.mode == "incremental" and _is_wall(schema, cursor.field):
        found[CURSOR] = cursor.timezone
    if partitions is not None and not _is_day(schema, partitions.field):
        found[PARTITION] = partitions.timezone
    return found


def check_zones(context: Context, log: FeedLog, *, follows: bool) -> None:
    """Make sure that a read which goes on goes on in the zones of the reads before it.

    State without zones, from before they were noted, takes those that are declared.

    Args:
        context: the run; a full refresh takes the zones that are declared.
        log: the feed's log.
        follows: whether reads go on from a watermark.

    Raises:
        CursorError: `cursor.timezone` or `partitions.timezone` is another than it was.
    """
    spec = context.pipeline
    cursor, partitions = spec.source.cursor, spec.time_partitions
    declared = {
        CURSOR: cursor.timezone if cursor and follows else None,
        PARTITION: partitions.timezone if partitions else None,
    }
    epoch = max(log.epochs(), default=None) if any(declared.values()) else None
    last = log.last(epoch) if epoch is not None else None
    if epoch is None or last is None or not last.zones:
        return
    whole = log.first_complete(epoch) is not None
    if context.full_refresh and whole:
        return
    for what, before in last.zones.items():
        now = declared[what]
        if now is not None and now != before:
            raise _changed(context, log, what, (before, now), whole=whole)


def _changed(context: Context, log: FeedLog, what: str, zones: tuple[str, str], *, whole: bool) -> CursorError:
    name, (before, now) = context.pipeline.name, zones
    place = "cursor" if what == CURSOR else "partitions"
    why = (
        "its watermark is a time in the old zone"
        if what == CURSOR
        else "its rows were read between the old zone's midnights"
    )
    anew = f"pipelines run {name} --full-refresh" if whole else f"pipelines state {name} --reset"
    more = ", all partitions," if what == PARTITION else ""
    return CursorError(
        f"`{place}.timezone` of pipeline `{name}` is {now} now; {log.feed.id} was read in {before}, and {why}. "
        f"Put `timezone: {before}` back, or, if {now} is right, read everything anew{more} with `{anew}`."
    )


def _is_wall(schema: pa.Schema, name: str) -> bool:
    import pyarrow.types as t

    return name in schema.names and t.is_timestamp(kind := schema.field(name).type) and kind.tz is None


def _is_day(schema: pa.Schema, name: str) -> bool:
    """Whether a partition's bounds are the same in every zone: those of dates and of times on the wall."""
    import pyarrow.types as t

    return name in schema.names and (t.is_date(schema.field(name).type) or _is_wall(schema, name))
