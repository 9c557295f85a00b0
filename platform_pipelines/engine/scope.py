"""Which feeds a run works on; the cursor window that it re-reads is left to ``askedwindow``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.engine.context import utc_now
from platform_pipelines.errors import UsageError
from platform_pipelines.model import Feed
from platform_pipelines.spec.feeds import listed

if TYPE_CHECKING:
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.digest import Digest
    from platform_pipelines.engine.project import Project
    from platform_pipelines.engine.request import RunRequest
    from platform_pipelines.engine.told import Told
    from platform_pipelines.spec import PipelineSpec


def feeds_to_run(project: Project, spec: PipelineSpec, request: RunRequest, told: Told) -> list[Feed]:
    """The feeds of a run, chosen by what the logs tell.

    Without a choice, a pipeline partitioned by time runs the partitions that
    have never landed whole or were reset, the current one and the last
    ``lookback``; one partitioned by value runs all.

    Raises:
        UsageError: an unknown key, or a key or range that does not fit the pipeline.
    """
    _check_range(request)
    feeds = _chosen(project, spec, request, told)
    if request.decision is not None:
        _check_held(project, feeds, request)
    return feeds


def due_feeds(context: Context, told: Told) -> list[Feed]:
    """The feeds that a run without a choice takes, for a caller that may try again under the same token.

    They are kept in the run's record: once a partition has landed, it is not due any more.
    """
    pipeline, token = context.pipeline, context.token
    for entry in context.project.store.runs.entries(pipeline.name, token):
        if entry.stage == "begin":
            return [pipeline.feed(key) for key in entry.body["partitions"]]
    feeds = _due(pipeline, told, everything=context.full_refresh)
    context.record("begin", {"partitions": [feed.key for feed in feeds]})
    return feeds


def _chosen(project: Project, spec: PipelineSpec, request: RunRequest, told: Told) -> list[Feed]:
    if spec.partitions is None:
        if request.partitions:
            return [spec.feed(key) for key in request.partitions]  # raises: there are no keys
        return [Feed(spec.name)]
    if request.partitions:
        return [spec.feed(key) for key in dict.fromkeys(request.partitions)]
    if request.window_from is not None and request.window_to is not None:
        return _between(spec, request.window_from, request.window_to)
    if request.decision is not None:
        return [feed for feed in project.store.feeds(spec.name) if _held(project, feed)]
    return _due(spec, told, everything=request.full_refresh)


def _check_range(request: RunRequest) -> None:
    if (request.window_from is None) != (request.window_to is None):
        msg = "`--from` and `--to` go together: the range is half-open, from inclusive, to exclusive."
        raise UsageError(msg)
    if request.window_from is not None and request.partitions:
        msg = "Give either `--partition` or `--from/--to`, not both."
        raise UsageError(msg)
    if request.window_from is not None and request.full_refresh:
        msg = "`--full-refresh` reads everything; it does not go with `--from/--to`."
        raise UsageError(msg)


def _between(spec: PipelineSpec, begin: str, end: str) -> list[Feed]:
    partitions = spec.time_partitions
    if partitions is None:
        msg = f"Pipeline `{spec.name}` is partitioned by value; choose keys with `--partition KEY`."
        raise UsageError(msg)
    keys = partitions.keys_between(begin, end)
    if not keys:
        msg = f"No partition of `{spec.name}` lies in the range [{begin}, {end}). {listed(spec, utc_now())}"
        raise UsageError(msg)
    return [Feed(spec.name, key) for key in keys]


def _held(project: Project, feed: Feed) -> bool:
    log = project.store.feed(feed)
    epoch = log.live_epoch()
    return epoch is not None and log.held(epoch) is not None


def _check_held(project: Project, feeds: list[Feed], request: RunRequest) -> None:
    if not feeds or not all(_held(project, feed) for feed in feeds):
        named = f" in {', '.join(feed.key for feed in feeds)}" if request.partitions else ""
        msg = f"Pipeline `{request.pipeline}` has no held batch to {request.decision}{named}."
        raise UsageError(msg)


def _due(spec: PipelineSpec, told: Told, *, everything: bool) -> list[Feed]:
    feeds = spec.feeds(utc_now())
    time_partitions = spec.time_partitions
    if everything or time_partitions is None:
        return feeds
    recent = {feed.key for feed in feeds[-1 - time_partitions.lookback :]}
    whole = {feed.key for feed, digest in told.digests.items() if _is_whole(spec, digest)}
    return [feed for feed in feeds if feed.key in recent or feed.key not in whole]


def _is_whole(spec: PipelineSpec, digest: Digest | None) -> bool:
    """Whether a feed was read whole: no first read that failed or was killed, no reset since.

    A damaged log counts as such: reading again would not mend it.
    """
    if digest is None:
        return True
    if spec.source.checkpoint_pages is None:
        return digest.batches > 0
    return digest.epoch is not None and digest.live == digest.epoch
