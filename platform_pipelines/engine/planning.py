"""What a run would do, without doing it: window, query, schema changes, expected rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.base import Evolvable, Plannable
from platform_pipelines.engine.askedwindow import blaming_who_wrote_it
from platform_pipelines.engine.context import Context
from platform_pipelines.engine.extract import expected_stream, preview_window
from platform_pipelines.engine.incoming import markable
from platform_pipelines.engine.loading import target_of
from platform_pipelines.engine.ordering import planned_load
from platform_pipelines.engine.previewing import default_feed, preview_rows
from platform_pipelines.engine.report import plain

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed, LoadPlan, ReadPlan, Window


#: rows read to learn the schema that would be loaded
SAMPLE_ROWS = 100


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What ``pipelines plan`` shows.

    Attributes:
        feed: the feed that would run.
        window: cursor bounds and partition that would be read.
        read: the source's own words.
        ddl: statements that only add or widen, at the destinations.
        destructive: statements that drop or narrow; they need ``--allow-destructive``.
        notes: what else changes at the destinations, for people.
    """

    feed: Feed
    window: Window
    read: ReadPlan | None
    ddl: tuple[str, ...]
    destructive: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that ``plan --json`` prints; its keys are a contract."""
        high = self.window.high or (self.read.high if self.read else None)
        return {
            "window": {
                "field": self.window.field,
                "from": plain(self.window.low),
                "to": plain(high),
                "partition": self.feed.partition,
            },
            "query": self.read.query if self.read else None,
            "ddl": list(self.ddl),
            "destructive": list(self.destructive),
            "estimated_rows": self.read.estimated_rows if self.read else None,
        }


def plan(project: Project, name: str, partition: str | None = None, *, full_refresh: bool = False) -> PlanReport:
    """Plan the next run of a pipeline; nothing is written anywhere.

    Raises:
        UsageError: no such pipeline or partition.
        ConnectError: source or destination cannot be reached.
    """
    spec = project.pipeline(name)
    context = Context(project=project, pipeline=spec, token="", full_refresh=full_refresh)
    feed = default_feed(context, partition)
    log = context.log(feed)
    epoch = max(log.epochs(), default=None)
    previous = log.last(epoch) if epoch is not None else None
    window = preview_window(context, feed, previous)
    stream = expected_stream(context, previous)
    source = context.source
    with blaming_who_wrote_it(context, previous.watermark if previous else None):
        read = source.plan_read(stream, window) if isinstance(source, Plannable) else None
    plans = _load_plans(context, feed)
    return PlanReport(
        feed=feed,
        window=window,
        read=read,
        ddl=tuple(statement for item in plans for statement in item.ddl),
        destructive=tuple(statement for item in plans for statement in item.destructive),
        notes=tuple(note for item in plans for note in item.notes),
    )


def _load_plans(context: Context, feed: Feed) -> list[LoadPlan]:
    """What each destination would change for the first rows, brought through transforms."""
    schema = preview_rows(context, feed, SAMPLE_ROWS).schema
    if schema is None:
        return []
    targets = [target_of(context, feed, spec.name) for spec in context.pipeline.destinations]
    return [
        target.connector.plan_load(planned_load(target, markable(context, schema), target.offset()))
        for target in targets
        if isinstance(target.connector, Evolvable)
    ]
