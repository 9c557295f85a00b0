"""Which partitions changed at the source since they were last read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.connectors.base import ChangeAware
from platform_pipelines.engine.context import Context, utc_now
from platform_pipelines.engine.extract import expected_stream, tracked_cursor
from platform_pipelines.errors import SpecError
from platform_pipelines.model import Window

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
    latest = _latest(context)
    stream = expected_stream(context, next(iter(latest.values()), None))
    found = source.partition_cursors(stream, Window(field=field, timezone=zone), slices)
    return [key for key in slices if key in found and _moved(found[key], latest.get(key))]


def _latest(context: Context) -> dict[str, Manifest]:
    latest = {}
    for feed in context.project.store.feeds(context.pipeline.name):
        log = context.log(feed)
        epochs = log.epochs()
        last = log.last(epochs[-1]) if epochs else None
        if last is not None:
            latest[feed.key] = last
    return latest


def _moved(found: Cursor | None, last: Manifest | None) -> bool:
    if last is None or last.watermark is None:
        return True
    return found is not None and not last.watermark.at_least(found)
