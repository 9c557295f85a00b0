"""A whole run in this process: land, validate, load, for every feed asked for.

Each stage can be repeated at will: what is done is read from the log and from
the destinations' offsets. Dagster runs the same stages as steps of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.askedwindow import resolve_window
from platform_pipelines.engine.context import Context
from platform_pipelines.engine.faults import advise, as_ours
from platform_pipelines.engine.holding import Holding
from platform_pipelines.engine.landing import land
from platform_pipelines.engine.loading import load
from platform_pipelines.engine.reconciling import unreconciled
from platform_pipelines.engine.report import Landed, Validated
from platform_pipelines.engine.scope import feeds_to_run
from platform_pipelines.engine.summary import Outcome, summarize
from platform_pipelines.engine.told import Told
from platform_pipelines.engine.validation import validate
from platform_pipelines.errors import DeletesRefused, GateClosed, PipelinesError, UsageError
from platform_pipelines.spec.nearest import allowed
from platform_pipelines.spec.scrubbing import scrub
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from platform_pipelines.engine.project import Project
    from platform_pipelines.engine.report import Loaded, RunReport
    from platform_pipelines.engine.request import RunRequest
    from platform_pipelines.model import Feed

#: feeds that are read and judged while another one is loaded
READ_AHEAD = 2
#: destinations of one pipeline that load at the same time at most
MAX_PARALLEL = 20


def run(project: Project, request: RunRequest) -> RunReport:
    """Run a pipeline once and report.

    Raises:
        UsageError: the request makes no sense for the pipeline; nothing was done.
    """
    spec = project.pipeline(request.pipeline)
    targets = _targets([d.name for d in spec.destinations], request)
    told = Told(project, spec.name)
    feeds = feeds_to_run(project, spec, request, told)
    window = resolve_window(spec, request, told)
    project.store.check_writable()
    context = Context(
        project=project,
        pipeline=spec,
        token=request.token,
        full_refresh=request.full_refresh,
        window=window,
        allow_destructive=request.allow_destructive,
        progress=request.progress,
    )
    started = time.monotonic()
    with context.alive():
        late = _late(context, targets, feeds, told) if request.unchosen and spec.partitions is not None else {}
        context.record("begin", {"partitions": [feed.key for feed in (*feeds, *late)]})
        outcomes = _run_feeds(context, feeds, request, targets)
        return close(context, outcomes + _catch_up(context, late), started)


def close(context: Context, outcomes: list[Outcome], started: float) -> RunReport:
    """Sum up and record the end of a run that began at ``started`` (monotonic seconds)."""
    partitioned = context.pipeline.partitions is not None
    report = dataclasses.replace(
        summarize(context, outcomes, partitioned=partitioned), seconds=time.monotonic() - started
    )
    context.record("end", report.to_json())
    return report


def load_all(context: Context, outcome: Outcome, targets: list[str]) -> None:
    """Load several destinations at once; one that fails holds back none of the others."""
    with ThreadPoolExecutor(max_workers=min(len(targets), MAX_PARALLEL) or 1) as pool:
        results = pool.map(lambda name: _try_load(context, outcome.feed, name), targets)
        for name, result in zip(targets, results, strict=True):
            if isinstance(result, PipelinesError):
                outcome.failed[name] = result
            else:
                outcome.loaded[name] = result
                if (error := unreconciled(result)) is not None:
                    outcome.failed[name] = error


def _run_feeds(context: Context, feeds: list[Feed], request: RunRequest, targets: list[str]) -> list[Outcome]:
    """Run one feed after the other; while one is loaded, the next is judged and the one behind it read.

    A feed that is alone is read and judged in the caller's thread, which Ctrl-C reaches at once.
    """
    outcomes = [Outcome(feed) for feed in feeds]
    if len(outcomes) == 1:
        with _interruption_recorded(context):
            _read(context, outcomes[0], request)
            _judge(context, outcomes[0], request)
            if outcomes[0].error is None:
                load_all(context, outcomes[0], targets)
        return outcomes
    with (
        ThreadPoolExecutor(max_workers=1) as reader,
        ThreadPoolExecutor(max_workers=1) as judge,
        Holding(context, targets) as holding,
        _interruption_recorded(context),
    ):
        judged: list[Future[None]] = []
        for position, outcome in enumerate(outcomes):
            for each in outcomes[len(judged) : position + 1 + READ_AHEAD]:
                read = reader.submit(_read, context, each, request)
                judged.append(judge.submit(_judge, context, each, request, read))
            holding.wait_for(judged[position])
            if outcome.error is None:
                holding.acquire()
                load_all(context, outcome, targets)
    return outcomes


def _late(context: Context, targets: list[str], feeds: list[Feed], told: Told) -> Mapping[Feed, list[str]]:
    """The destinations that could load more of a feed that this run does not read."""
    from platform_pipelines.engine.lagging import lagging

    return lagging(context, targets, feeds, told)


def _catch_up(context: Context, late: Mapping[Feed, list[str]]) -> list[Outcome]:
    """Load feeds that are not read by this run into destinations that lack batches of them."""
    outcomes = [Outcome(feed) for feed in late]
    with (
        Holding(context, sorted({name for names in late.values() for name in names})) as holding,
        _interruption_recorded(context),
    ):
        for outcome in outcomes:
            holding.acquire()
            load_all(context, outcome, late[outcome.feed])
    return outcomes


@contextlib.contextmanager
def _interruption_recorded(context: Context) -> Iterator[None]:
    """Record Ctrl-C before threads are waited for, so that the run does not look as if it went on."""
    try:
        yield
    except KeyboardInterrupt:
        context.record("error", {"error": "Interrupted."})
        raise


def _read(context: Context, outcome: Outcome, request: RunRequest) -> None:
    if request.only in {None, "landing"} and request.decision is None:
        with recorded(context, outcome):
            (outcome.landed,) = land(context, [outcome.feed])


def _judge(context: Context, outcome: Outcome, request: RunRequest, read: Future[None] | None = None) -> None:
    if read is not None:
        read.result()
    if outcome.error is None and request.only in {None, "validated"}:
        with recorded(context, outcome):
            outcome.validated = validate(context, outcome.feed, request.decision)


@contextlib.contextmanager
def recorded(context: Context, outcome: Outcome) -> Iterator[None]:
    """Turn what a stage raises into the feed's outcome, and record it.

    Raises:
        KeyboardInterrupt: Ctrl-C, also where DuckDB met it and made a RuntimeError of it.
    """
    try:
        yield
    except Exception as caught:
        if duck.interrupted(caught):
            raise KeyboardInterrupt from caught
        error = _shown(caught, outcome.feed, f"Feed {outcome.feed.id}")
        outcome.error = error
        if isinstance(error, GateClosed) and isinstance(error.validated, Validated):
            outcome.validated = error.validated
        if isinstance(error, DeletesRefused) and isinstance(error.landed, Landed):
            outcome.landed = error.landed
        context.record("error", {"partition": outcome.feed.key, "error": mask(str(error))})


def _try_load(context: Context, feed: Feed, name: str) -> Loaded | PipelinesError:
    try:
        return load(context, feed, name)
    except Exception as caught:  # noqa: BLE001 - kept as the cause: one destination must not stop the others
        error = _shown(caught, feed, f"Loading `{name}`")
        context.record("error", {"partition": feed.key, "destination": name, "error": mask(str(error))})
        return error


def _shown(caught: Exception, feed: Feed, doing: str) -> PipelinesError:
    """What was caught, as a person may see it: an error of ours, with commands to type and without secrets."""
    error = as_ours(caught, doing)
    advise(error, feed.pipeline)
    scrub(error)
    return error


def _targets(names: list[str], request: RunRequest) -> list[str]:
    if request.only is None:
        return names
    if request.only in {"landing", "validated"}:
        return []
    if request.only in names:
        return [request.only]
    choices = allowed(request.only, ["landing", "validated", *names])
    msg = f"Unknown stage `{request.only}` of pipeline `{request.pipeline}`. {choices}"
    raise UsageError(msg)
