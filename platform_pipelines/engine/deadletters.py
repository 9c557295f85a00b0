"""Dead letters: list what is open, and bring it back through today's rules.

Open dead letters are those of the live epoch that no replay has taken up. A replay
lands them as batches of their own: rows that the rules rejected as the rules saw
them, rows that a transform stopped as they came into it. They are judged without a
gate, from there on: what passes is loaded, what fails is a dead letter again. The
replay's manifests are its commits.
"""

from __future__ import annotations

import json
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.context import Context
from platform_pipelines.engine.digest import digests
from platform_pipelines.engine.refused_rows import BOOKKEEPING
from platform_pipelines.engine.refusing import added, as_verdict, refused, resend
from platform_pipelines.engine.replaying import is_unread, land_replay, newest_open
from platform_pipelines.engine.running import close, load_all, recorded
from platform_pipelines.engine.sample import show
from platform_pipelines.engine.summary import Outcome
from platform_pipelines.engine.validation import validate
from platform_pipelines.rows import to_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from platform_pipelines.engine.project import Project
    from platform_pipelines.engine.report import RunReport
    from platform_pipelines.model import Feed
    from platform_pipelines.store import FeedLog, Verdict


def dead_letters(project: Project, name: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Open dead letters, newest batch first.

    Args:
        project: the project.
        name: the pipeline.
        limit: records at most; None for all.

    Returns:
        ``{record, rule, rules, reason, partition, batch, run, at}`` each.

    Raises:
        UsageError: no such pipeline.
    """
    return _open_letters(project, name, _open_by_feed(project, name), limit)


def newest_dead_letters(project: Project, name: str, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Open dead letters, newest batch first and ``limit`` at most, and how many there are in all.

    Raises:
        UsageError: no such pipeline.
    """
    counts = _open_by_feed(project, name)
    return _open_letters(project, name, counts, limit), sum(counts.values())


def _open_letters(project: Project, name: str, feeds: Iterable[Feed], limit: int | None) -> list[dict[str, Any]]:
    project.pipeline(name)
    found: list[dict[str, Any]] = []
    for feed in feeds:
        log = project.store.feed(feed)
        for verdict in chain(map(as_verdict, reversed(refused(log))), newest_open(log)):
            for letter in letters(log, verdict):
                if limit is not None and len(found) >= limit:
                    return found
                found.append(letter)
    return found


def _open_by_feed(project: Project, name: str) -> dict[Feed, int]:
    """How many dead letters are open in each feed that has such."""
    feeds = project.store.feeds(name)
    told = zip(feeds, digests(project, name, feeds), strict=True)
    return {feed: digest.dead for feed, digest in told if digest.dead}


def replay_dead_letters(project: Project, name: str) -> RunReport:
    """Judge the open dead letters by today's rules and load those that pass.

    Raises:
        UsageError: no such pipeline.
    """
    context = Context(project=project, pipeline=project.pipeline(name))
    started = time.monotonic()
    with context.alive():
        context.record("begin", {"replay": True})
        found = [_replay(context, feed) for feed in project.store.feeds(name)]
        return close(context, [outcome for outcome in found if outcome is not None], started)


def _replay(context: Context, feed: Feed) -> Outcome | None:
    """Land, judge and load one feed's dead letters, and send again what destinations refused; None if it has none."""
    outcome, log = Outcome(feed), context.log(feed)
    names = [destination.name for destination in context.pipeline.destinations]
    asked = {each.destination for each in refused(log)}.intersection(names)
    with recorded(context, outcome):
        if not land_replay(context, log) and not _replayed(log) and not asked:
            return None
        outcome.validated = validate(context, feed)
    if outcome.error is None:
        load_all(context, outcome, names)
    for name in sorted(asked - outcome.failed.keys()):
        with recorded(context, outcome):
            again = resend(context, feed, name)
            outcome.overtaken += again.deduplicated if name != next(iter(outcome.loaded), name) else 0
            outcome.loaded[name] = added(outcome.loaded.get(name), again)
    return outcome


def letters(log: FeedLog, verdict: Verdict) -> Iterator[dict[str, Any]]:
    """The dead letters of one verdict, as :func:`dead_letters` shows them."""
    import pyarrow.parquet as pq

    common = {
        "partition": log.feed.partition,
        "batch": f"{verdict.epoch}/{verdict.sequence}",
        "run": verdict.token,
        "at": verdict.created_at,
    }
    for path in log.paths(verdict.epoch, verdict.dead):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in to_rows(batch):
                    yield (_unread_letter(row) if is_unread(path) else _row_letter(row)) | common


def _unread_letter(row: dict[str, Any]) -> dict[str, Any]:
    try:
        record = json.loads(row["record"])
    except ValueError:
        record = row["record"]
    return {"record": record, "rule": row["rule"], "rules": [row["rule"]], "reason": row["reason"]}


def _row_letter(row: dict[str, Any]) -> dict[str, Any]:
    record = {name: show(value, 10_000) for name, value in row.items() if name not in BOOKKEEPING}
    return {
        "record": record,
        "rule": row["_pipelines_rule"],
        "rules": list(row["_pipelines_rules"] or []),
        "reason": row["_pipelines_reason"],
    }


def _replayed(log: FeedLog) -> bool:
    """Whether there is a replay, which a run that was killed may not have judged and loaded."""
    epoch = log.live_epoch()
    return epoch is not None and bool(log.replays(epoch))
