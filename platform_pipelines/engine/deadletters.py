"""Dead letters: list what is open, and bring it back through today's rules.

Open dead letters are those of the live epoch that no replay has taken up. A replay
lands them as a batch of its own (their rows as the rules saw them), which is
judged without transforms and without a gate: what passes is loaded, what fails
is a dead letter again. The replay's manifest is its commit.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.context import Context, stamp
from platform_pipelines.engine.landing import UNREAD_PREFIX
from platform_pipelines.engine.running import close, load_all, recorded
from platform_pipelines.engine.sample import show
from platform_pipelines.engine.schemas import unified
from platform_pipelines.engine.summary import Outcome
from platform_pipelines.engine.unmoved import unmoved
from platform_pipelines.engine.validation import validate
from platform_pipelines.rows import to_rows
from platform_pipelines.store import Manifest
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.engine.project import Project
    from platform_pipelines.engine.report import RunReport
    from platform_pipelines.model import Feed
    from platform_pipelines.store import DataFile, FeedLog, Verdict

BOOKKEEPING = ("_pipelines_rule", "_pipelines_rules", "_pipelines_reason")


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
    project.pipeline(name)
    found: list[dict[str, Any]] = []
    for feed in project.store.feeds(name):
        log = project.store.feed(feed)
        for verdict in reversed(open_verdicts(log)):
            for letter in letters(log, verdict):
                if limit is not None and len(found) >= limit:
                    return found
                found.append(letter)
    return found


def count_dead_letters(project: Project, name: str) -> int:
    """How many dead letters are open."""
    logs = [project.store.feed(feed) for feed in project.store.feeds(name)]
    return sum(verdict.rejected for log in logs for verdict in open_verdicts(log))


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
    """Land, judge and load one feed's dead letters; None if it has none."""
    outcome = Outcome(feed)
    with recorded(context, outcome):
        if not _land_replay(context, context.log(feed)) and not _replayed(context.log(feed)):
            return None
        outcome.validated = validate(context, feed)
    if outcome.error is None:
        load_all(context, outcome, [destination.name for destination in context.pipeline.destinations])
    return outcome


def open_verdicts(log: FeedLog) -> list[Verdict]:
    """Sealed verdicts of the live epoch whose dead letters no replay has taken up."""
    epoch = log.live_epoch()
    if epoch is None:
        return []
    taken = {item["sequence"] for manifest in log.replays(epoch) for item in manifest.replays}
    verdicts = (log.verdict(epoch, sequence) for sequence in sorted(log.sealed(epoch) - taken))
    return [verdict for verdict in verdicts if verdict is not None and verdict.dead]


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


def is_unread(path: Path) -> bool:
    """Whether a dead-letter file holds records that never became rows."""
    return path.name.startswith(UNREAD_PREFIX)


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


def _land_replay(context: Context, log: FeedLog) -> bool:
    """Commit the open dead letters as a batch; False if there are none."""
    with log.lock(context.token):
        log.sweep()
        verdicts = open_verdicts(log)
        epoch = log.live_epoch()
        previous = log.last(epoch) if epoch is not None else None
        if not verdicts or previous is None:
            return False
        sequence = previous.sequence + 1
        rows, schema, rejects = _copy(log, verdicts, sequence)
        log.commit(
            Manifest(
                feed=log.feed,
                epoch=previous.epoch,
                sequence=sequence,
                token=context.token,
                run_id=context.run_id or context.token,
                created_at=stamp(),
                kind="replay",
                files=rows,
                rejects=rejects[0] if rejects else None,
                read=sum(file.rows for file in (*rows, *rejects)),
                schema=schema,
                replays=tuple({"epoch": v.epoch, "sequence": v.sequence} for v in verdicts),
                **unmoved(previous),
            )
        )
    return True


def _copy(
    log: FeedLog, verdicts: list[Verdict], sequence: int
) -> tuple[tuple[DataFile, ...], pa.Schema | None, tuple[DataFile, ...]]:
    epoch = verdicts[-1].epoch
    paths = [path for verdict in verdicts for path in log.paths(verdict.epoch, verdict.dead)]
    typed = [path for path in paths if not is_unread(path)]
    unread = [path for path in paths if is_unread(path)]
    rows, schema = _merge(typed, log.attempt_folder(epoch, sequence), "part", BOOKKEEPING)
    rejects, _ = _merge(unread, log.attempt_folder(epoch, sequence), UNREAD_PREFIX, ())
    return rows, schema, rejects


def _merge(
    paths: list[Path], folder: Path, prefix: str, dropped: tuple[str, ...]
) -> tuple[tuple[DataFile, ...], pa.Schema | None]:
    """Copy Parquet files into parts of one schema, without the dropped columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not paths:
        return (), None
    whole = unified(pq.read_schema(path) for path in paths)
    schema = pa.schema([item for item in whole if item.name not in dropped])
    writer = PartWriter(folder, schema, prefix=prefix)
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                writer.write(_widen(batch, schema))
    return writer.close(), schema


def _widen(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    present = set(batch.schema.names)
    columns = [
        batch.column(item.name).cast(item.type) if item.name in present else pa.nulls(batch.num_rows, item.type)
        for item in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
