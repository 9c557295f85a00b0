"""The first records of a stream through transforms and rules; no state is touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.askedwindow import blaming_who_wrote_it
from platform_pipelines.engine.context import Context, utc_now
from platform_pipelines.engine.extract import expected_stream, preview_boundary, preview_window, rereads
from platform_pipelines.engine.holdings import holdings
from platform_pipelines.engine.judging import row_rules_only
from platform_pipelines.engine.landing import readable
from platform_pipelines.engine.masking import LandingMask, behind_landing
from platform_pipelines.engine.reference import references
from platform_pipelines.engine.sample import sample_rows
from platform_pipelines.errors import UsageError
from platform_pipelines.quality.judge import judge
from platform_pipelines.transforms import chain
from platform_pipelines.transforms.metadata import carry_metadata

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
    from platform_pipelines.store import Manifest


@dataclass(frozen=True, slots=True)
class PreviewReport:
    """What ``pipelines preview`` shows.

    Attributes:
        pipeline: its name.
        rows: rows that would be loaded, JSON-ready.
        rejected: rejected records: ``{record, rule, reason}``.
        transforms: what each transform did.
        rules: what each rule found.
        schema: Arrow schema of the rows; None if the source gave none.
        read: records looked at, without those that have landed before.
        since: the watermark, where nothing is new beyond it, so that these are the first records there are.
        partition: the partition that was looked at, if the pipeline has any.
    """

    pipeline: str
    rows: tuple[dict[str, Any], ...] = ()
    rejected: tuple[dict[str, Any], ...] = ()
    transforms: tuple[TransformOutcome, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    schema: pa.Schema | None = None
    read: int = 0
    since: Cursor | None = None
    partition: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "pipeline": self.pipeline,
            "rows": list(self.rows),
            "rejected": list(self.rejected),
            "transforms": [
                {"label": t.label, "kind": t.kind, "rows_in": t.rows_in, "rows_out": t.rows_out, "error": t.error}
                for t in self.transforms
            ],
            "rules": [
                {"id": r.id, "type": r.type, "severity": r.severity, "failed": r.failed, "checked": r.checked}
                for r in self.rules
            ],
        }


def preview(project: Project, name: str, limit: int = 10, partition: str | None = None) -> PreviewReport:
    """The first ``limit`` records that the next run would read, through transforms and rules.

    Where it would read nothing that is new, the first ones that a full refresh would read.

    Raises:
        UsageError: no such pipeline or partition.
        SpecError: ``cursor.initial`` is no value of the cursor.
        ConnectError: the source cannot be reached.
        InvalidData: a transform failed.
    """
    context = Context(project=project, pipeline=project.pipeline(name), token="")
    feed = default_feed(context, partition)
    report = preview_rows(context, feed, limit)
    previous = _previous(context, feed)
    if report.read or previous is None or previous.watermark is None:
        return report
    begun = preview_rows(replace(context, full_refresh=True), feed, limit)
    return replace(begun, since=previous.watermark, partition=feed.partition) if begun.read else report


def default_feed(context: Context, partition: str | None) -> Feed:
    """The feed asked for; the latest partition where none was.

    Raises:
        UsageError: no such partition, or none exists yet.
    """
    if partition is not None or context.pipeline.partitions is None:
        return context.pipeline.feed(partition)
    feeds = context.pipeline.feeds(utc_now())
    if not feeds:
        msg = f"Pipeline `{context.pipeline.name}` has no partition yet: its first one begins in the future."
        raise UsageError(msg)
    return feeds[-1]


def preview_rows(context: Context, feed: Feed, limit: int) -> PreviewReport:
    """See :func:`preview`."""
    previous = _previous(context, feed)
    with blaming_who_wrote_it(context, previous.watermark if previous else None):
        table, rejected = _first_rows(context, previous, feed, limit)
    if table is None:
        return PreviewReport(context.pipeline.name, rejected=tuple(rejected), read=len(rejected))
    kept = _Kept(list(rejected))
    cursor = context.pipeline.source.cursor
    with duck.session(table.num_columns) as connection:
        connection.register("landed", table)
        lookup = references(context)
        transformed = chain.apply(
            connection,
            "landed",
            behind_landing(context.pipeline.transforms),
            cursor=cursor.field if cursor else None,
            lookup=lookup,
            file=context.pipeline.file,
        )
        for rejects in transformed.rejects:
            for batch in connection.execute(f"from {duck.quote(rejects.relation)}").to_arrow_reader(limit):
                kept.bad(batch)
        judgement = judge(
            connection,
            transformed.relation,
            row_rules_only(context.pipeline.quality),
            cursor=transformed.cursor,
            lookup=lookup,
            now=utc_now(),
            sink_good=kept.good,
            sink_bad=kept.bad,
            holdings=holdings(context, feed, _epoch(context, feed)),
        )
    return PreviewReport(
        pipeline=context.pipeline.name,
        rows=tuple(kept.rows[:limit]),
        rejected=tuple(kept.rejected[:limit]),
        transforms=transformed.outcomes,
        rules=judgement.rules,
        schema=carry_metadata(table.schema, judgement.schema, transformed.origins),
        read=table.num_rows + len(rejected),
    )


def _epoch(context: Context, feed: Feed) -> int:
    """The epoch that a run would read into."""
    last = max(context.log(feed).epochs(), default=0)
    return last + 1 if not last or context.full_refresh or rereads(context.pipeline) else last


@dataclass
class _Kept:
    """Rows kept in memory: a preview is short."""

    rejected: list[dict[str, Any]]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def good(self, batch: pa.RecordBatch) -> None:
        self.rows.extend(sample_rows(batch, batch.num_rows))

    def bad(self, batch: pa.RecordBatch) -> None:
        for row in sample_rows(batch, batch.num_rows):
            rule, reason = row.pop("_pipelines_rule"), row.pop("_pipelines_reason")
            row.pop("_pipelines_rules")
            self.rejected.append({"record": row, "rule": rule, "reason": reason})


def _previous(context: Context, feed: Feed) -> Manifest | None:
    log = context.log(feed)
    epochs = log.epochs()
    return log.last(epochs[-1]) if epochs else None


def _first_rows(
    context: Context, previous: Manifest | None, feed: Feed, limit: int
) -> tuple[pa.Table | None, list[dict[str, Any]]]:
    import pyarrow as pa

    source = readable(context)
    window = preview_window(context, feed, previous)
    batches: list[pa.RecordBatch] = []
    rejected: list[dict[str, Any]] = []
    rows = 0
    mask, boundary = LandingMask(context.pipeline), preview_boundary(context, previous)
    stream = replace(expected_stream(context, previous), limit=limit + (boundary.owed if boundary else 0))
    for page in mask.pages(lambda: source.read(stream, window, None)):
        unread = boundary.drop_known_records(page.rejected) if boundary else page.rejected
        rejected.extend({"record": r.record, "rule": "type", "reason": r.reason} for r in unread)
        for batch in page.batches:
            fresh = boundary.drop_known(batch, previous.watermark if previous else None) if boundary else batch
            batches.append(fresh.slice(0, max(limit - rows, 0)))
            rows += fresh.num_rows
        if rows >= limit:
            break
    return (pa.Table.from_batches(batches) if batches else None), rejected
