"""Decides what one landing reads: epoch, place in the log, window, where to resume.

Reading and writing are left to ``landing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import window as windows
from platform_pipelines.engine.boundary import Boundary
from platform_pipelines.engine.context import stamp
from platform_pipelines.engine.masking import unmasked
from platform_pipelines.engine.offsets import highest_epoch
from platform_pipelines.engine.zones import check_zones
from platform_pipelines.errors import CursorError, SpecError, UsageError
from platform_pipelines.model import Stream, Window

if TYPE_CHECKING:
    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import FeedLog, Manifest
    from platform_pipelines.store.manifest import BatchKind

#: why an epoch was opened by a pipeline that reads everything each time
ANEW = "full refresh"


@dataclass(frozen=True, slots=True)
class Extract:
    """One extract, decided.

    Attributes:
        epoch: the epoch its batches belong to.
        sequence: the first batch's sequence.
        kind: ``extract`` or ``window``.
        previous: the last batch of the epoch, if any.
        window: what to read.
        stream: what to read it from.
        resume: where to go on; None for a read from the start.
        tracked: the cursor field to follow; None where there is no watermark.
    """

    epoch: int
    sequence: int
    kind: BatchKind
    previous: Manifest | None
    window: Window
    stream: Stream
    resume: Any
    tracked: str | None

    @property
    def watermark(self) -> Cursor | None:
        """The feed's watermark before this extract."""
        return self.previous.watermark if self.previous else None

    @property
    def begins_epoch(self) -> bool:
        """Whether the epoch has no batch yet."""
        return self.previous is None


def decide(context: Context, log: FeedLog) -> Extract:
    """Decide what to read now; opens a new epoch, durably, where one is due.

    Raises:
        UsageError: a window is asked for while the feed is due to be read anew.
        CursorError: a zone is declared anew.
    """
    check_zones(context, log, follows=_follows(context.pipeline))
    epoch = _epoch(context, log)
    previous = log.last(epoch)
    spec = context.pipeline
    windowed = context.window is not None
    if windowed and log.first_complete(epoch) is None and (epoch, previous) != (1, None):
        # a window would pass for the whole epoch, and destinations replace their rows by it
        msg = (
            f"Pipeline `{spec.name}` is about to be read anew (after a reset, or an interrupted first read or full "
            f"refresh), so `--from/--to` has to wait. Run `pipelines run {spec.name}` first; it reads everything."
        )
        raise UsageError(msg)
    return Extract(
        epoch=epoch,
        sequence=previous.sequence + 1 if previous else 1,
        kind="window" if windowed else "extract",
        previous=previous,
        window=_window(context, log.feed, previous),
        stream=expected_stream(context, previous),
        resume=previous.resume if previous and not previous.complete and not windowed else None,
        tracked=tracked_cursor(spec),
    )


def rereads(spec: PipelineSpec) -> bool:
    """Whether every run of this pipeline reads its feed whole, in a new epoch."""
    replaces = any(destination.mode == "replace" for destination in spec.destinations)
    return spec.source.mode == "full_refresh" or (replaces and spec.partitions is not None)


def tracked_cursor(spec: PipelineSpec) -> str | None:
    """The cursor field that makes a watermark; None in full refresh."""
    return spec.source.cursor.field if spec.source.cursor and spec.source.mode == "incremental" else None


def _follows(spec: PipelineSpec) -> bool:
    """Whether reads go on from a watermark."""
    return tracked_cursor(spec) is not None and not rereads(spec)


def preview_window(context: Context, feed: Feed, previous: Manifest | None) -> Window:
    """The window that a run would read now, without opening an epoch.

    Raises:
        CursorError: a zone is declared anew.
    """
    check_zones(context, context.log(feed), follows=_follows(context.pipeline))
    starts_over = context.full_refresh or rereads(context.pipeline)
    return _window(context, feed, None if starts_over else previous)


def preview_boundary(context: Context, previous: Manifest | None) -> Boundary | None:
    """The rows that a run would read now and know already; None where it knows none."""
    field, cursor = tracked_cursor(context.pipeline), context.pipeline.source.cursor
    if field is None or cursor is None or previous is None or context.full_refresh or rereads(context.pipeline):
        return None
    return Boundary(field, previous.boundary, previous.columns, lambda high: windows.reread_from(high, cursor))


def _epoch(context: Context, log: FeedLog) -> int:
    current = max(log.epochs(), default=None)
    if current is None:
        return log.open_epoch("first run", context.token, stamp(), above=highest_epoch(context, log))
    if context.window is not None or log.first_complete(current) is None:
        return current
    if context.full_refresh:
        return log.open_epoch("full refresh asked for", context.token, stamp(), above=highest_epoch(context, log))
    if rereads(context.pipeline):
        return log.open_epoch(ANEW, context.token, stamp())
    if current > 1 and log.discarded(current):
        # what it was to replace is still loaded; to go on behind it would lose what it held
        return log.open_epoch(log.epoch_info(current).get("reason", ""), context.token, stamp())
    return current


def _window(context: Context, feed: Feed, previous: Manifest | None) -> Window:
    spec = context.pipeline
    partition = spec.partitions.slice(feed.key) if spec.partitions else None
    field = tracked_cursor(spec)
    cursor = spec.source.cursor
    if field is None or cursor is None:
        return Window(partition=partition)
    low, high = _bounds(context, previous)
    return Window(
        field=field,
        low=low,
        high=high,
        timezone=cursor.timezone,
        on_missing=cursor.on_missing,
        partition=partition,
    )


def _bounds(context: Context, previous: Manifest | None) -> tuple[Cursor | None, Cursor | None]:
    cursor = context.pipeline.source.cursor
    assert cursor is not None  # noqa: S101 - the caller has looked
    watermark = previous.watermark if previous else None
    if context.window is not None:
        begin, end = context.window
        return windows.written(begin, watermark), windows.written(end, watermark)
    if watermark is not None:
        return windows.reread_from(watermark, cursor), None
    if cursor.initial is not None:
        return _initial(context, cursor.initial), None
    return None, None


def _initial(context: Context, text: str) -> Cursor:
    try:
        return windows.written(text, None)
    except CursorError as error:
        spec = context.pipeline
        msg = f"`cursor.initial` of pipeline `{spec.name}`: {error}"
        raise SpecError(msg, file=spec.file, line=spec.line) from error


def boundary_of(context: Context, extract: Extract) -> Boundary:
    """The hashes that the extract is owed, and how it leaves its own."""
    cursor, previous = context.pipeline.source.cursor, extract.previous
    rereads = previous is not None and extract.kind == "extract"
    return Boundary(
        field=extract.tracked or "",
        owed=previous.boundary if previous and rereads else {},
        columns=previous.columns if previous and rereads else (),
        reread_from=lambda high: windows.reread_from(high, cursor) if cursor else high,
        seen=(previous.cursor_low, previous.cursor_high) if previous and extract.resume is not None else None,
    )


def expected_stream(context: Context, previous: Manifest | None) -> Stream:
    """The stream, with the schema that was landed last as what to expect."""
    spec = context.pipeline
    expected = previous.schema if previous else None
    if expected is None and not context.full_refresh:
        expected = context.project.store.schemas(spec.name).latest()
    return Stream(
        name=spec.source.stream,
        options=spec.source.options,
        expected=unmasked(expected),
        type_changes=spec.quality.schema_contract.type_changes,
    )
