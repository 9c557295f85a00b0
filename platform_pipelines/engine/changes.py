"""Which partitions changed at the source since they were last read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import ChangeAware
from platform_pipelines.engine.context import Context, utc_now
from platform_pipelines.engine.digest import digests
from platform_pipelines.engine.extract import expected_stream, tracked_cursor
from platform_pipelines.errors import SpecError
from platform_pipelines.model import Feed, Window
from platform_pipelines.store.feedindex import STEP

if TYPE_CHECKING:
    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.project import Project
    from platform_pipelines.store import Manifest


def changed_partitions(project: Project, name: str) -> list[str]:
    """Keys of partitions whose highest cursor at the source lies above their watermark.

    Raises:
        UsageError: no such pipeline.
        SpecError: it has no partitions or no cursor, or its source cannot tell.
        ConnectError: the source cannot be reached.
    """
    spec = project.pipeline(name)
    context = Context(project=project, pipeline=spec, token="")
    source, field = context.source, tracked_cursor(spec)
    if spec.partitions is None or field is None or not isinstance(source, ChangeAware):
        msg = (
            f"Pipeline `{name}` cannot tell which partitions changed: that needs `partitions`, `mode: incremental` "
            "with a cursor, and a source that can group by partition (postgres, duckdb, sql, files)."
        )
        raise SpecError(msg, file=spec.file, line=spec.line)
    cursor = spec.source.cursor
    zone = cursor.timezone if cursor else None
    slices = {feed.key: spec.partitions.slice(feed.key) for feed in spec.feeds(utc_now())}
    marks = _watermarks(context)
    stream = expected_stream(context, _last(context, next(iter(marks))) if marks else None)
    found = source.partition_cursors(stream, Window(field=field, timezone=zone), slices)
    return [key for key in slices if key in found and _moved(found[key], marks.get(Feed(name, key)))]


def _watermarks(context: Context) -> dict[Feed, Cursor | None]:
    """The watermark of each feed that something landed in."""
    project, name = context.project, context.pipeline.name
    feeds = project.store.feeds(name)
    if len(feeds) >= STEP:  # what is known of so many is kept
        return {
            feed: digest.watermark
            for feed, digest in zip(feeds, digests(project, name, feeds), strict=True)
            if digest.batches
        }
    found = {feed: _last(context, feed) for feed in feeds}
    return {feed: last.watermark for feed, last in found.items() if last is not None}


def _last(context: Context, feed: Feed) -> Manifest | None:
    log = context.log(feed)
    epochs = log.epochs()
    return log.last(epochs[-1]) if epochs else None


def _moved(found: Cursor | None, mark: Cursor | None) -> bool:
    if mark is None:
        return True
    return found is not None and not mark.at_least(found)
