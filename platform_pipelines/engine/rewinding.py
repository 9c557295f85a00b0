"""Rewind: take a feed's watermark back, so that the next run reads again from there.

A rewind is a batch without rows whose manifest says the older watermark; writing
it is the commit, so a crash leaves the feed rewound or as it was. The rows that
the next run reads again are merged, and batches that landed already stay as they
are. Reading everything again is left to ``resetting``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.context import Context, stamp
from platform_pipelines.engine.extract import rereads, tracked_cursor
from platform_pipelines.engine.offsets import check_follows
from platform_pipelines.engine.window import written
from platform_pipelines.errors import CursorError, UsageError
from platform_pipelines.store import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed, Offset
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import FeedLog

_BATCH = re.compile(r"(?:(?P<epoch>\d+)/)?(?P<sequence>\d+)")
#: keys of a boundary that belong to no cursor value: every read meets these rows, wherever it begins
_EVERYWHERE = ("record", "null")
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Rewound:
    """Where a rewind leads.

    Attributes:
        feed: the feed.
        before: its watermark now.
        after: its watermark then; None reads from the beginning.
        batch: the batch after which it was that; None if a watermark was given.
        moved: whether there is anything to do.
    """

    feed: Feed
    before: Cursor
    after: Cursor | None
    batch: Offset | None = None

    @property
    def moved(self) -> bool:
        """Whether the watermark is another afterwards."""
        return self.after != self.before


def plan_rewind(project: Project, name: str, to: str, partition: str | None = None) -> Rewound:
    """What :func:`rewind` would do now.

    Args:
        project: the project.
        name: the pipeline.
        to: a batch of the current epoch, as ``EPOCH/SEQUENCE`` or ``SEQUENCE``,
            after which to go on; else a watermark. ``=TEXT`` is a watermark in any case.
        partition: the partition, of a pipeline that has partitions.

    Raises:
        UsageError: the pipeline has no watermark, or not that one, or a destination would double rows.
        StoreCorrupt: a destination has loaded batches that the log does not have.
    """
    context = Context(project=project, pipeline=project.pipeline(name), token="")
    _check_pipeline(context.pipeline)
    return _resolve(context, context.log(context.pipeline.feed(partition)), to)[0]


def rewind(  # noqa: PLR0913 - one call, the rest by name
    project: Project,
    name: str,
    to: str,
    partition: str | None = None,
    *,
    token: str,
    waiting: Callable[[str], None] | None = None,
) -> Rewound:
    """Take the feed's watermark back; queues behind a run that reads or judges the feed.

    Args:
        project: the project.
        name: the pipeline.
        to: see :func:`plan_rewind`.
        partition: likewise.
        token: kept in the log as who asked.
        waiting: see :func:`platform_pipelines.engine.resetting.reset`.

    Raises:
        UsageError: see :func:`plan_rewind`.
        StoreCorrupt: likewise.
        FeedBusy: a run did not end in time.
    """
    context = Context(project=project, pipeline=project.pipeline(name), token=token)
    _check_pipeline(context.pipeline)
    log = context.log(context.pipeline.feed(partition))
    with log.lock(token, waiting):
        found, last, target = _resolve(context, log, to)
        if found.moved:
            log.commit(
                Manifest(
                    feed=log.feed,
                    epoch=last.epoch,
                    sequence=last.sequence + 1,
                    token=token,
                    run_id=token,
                    created_at=stamp(),
                    kind="rewind",
                    watermark=found.after,
                    schema=last.schema,
                    zones=last.zones,
                    **_owed(last, target if target is not None and not _deleted_since(log, target) else None),
                )
            )
    return found


def _check_pipeline(spec: PipelineSpec) -> None:
    if tracked_cursor(spec) is None or rereads(spec):
        msg = f"Pipeline `{spec.name}` reads everything each time, so it has no watermark to rewind. Just run it."
        raise UsageError(msg)
    appending = [d.name for d in spec.destinations if d.mode == "append"]
    if appending:
        msg = (
            f"Reading again would double rows in {', '.join(appending)} (mode append). Use mode merge with a key, or "
            f"replace everything: `pipelines state {spec.name} --reset`."
        )
        raise UsageError(msg)


def _resolve(context: Context, log: FeedLog, to: str) -> tuple[Rewound, Manifest, Manifest | None]:
    """Where it leads, the feed's last batch, and the batch it goes back to."""
    last = _last(log)
    assert last.watermark is not None  # noqa: S101 - _last has looked
    target = _batch(log, last, to.strip())
    after = target.watermark if target else _watermark(last.watermark, to)
    if after is not None and not last.watermark.at_least(after):
        msg = (
            f"{after.text} lies ahead of the watermark {last.watermark.text} of {log.feed.id}: what is between would "
            "never be read. A rewind only goes back."
        )
        raise UsageError(msg)
    # under a number that a destination has loaded, it would hide that batches are lost: rows of theirs that are
    # gone at the source since would stay for good
    check_follows(context, log, replace(last.offset, sequence=last.sequence + 1))
    return Rewound(log.feed, last.watermark, after, target.offset if target else None), last, target


def _last(log: FeedLog) -> Manifest:
    epoch = max(log.epochs(), default=0)
    last = log.last(epoch) if epoch else None
    if last is None or log.first_complete(epoch) is None or last.watermark is None:
        msg = (
            f"{log.feed.id} has no watermark to rewind: nothing has landed, or it is about to be read anew. "
            f"Run it: `pipelines run {log.feed.pipeline}`."
        )
        raise UsageError(msg)
    return last


def _batch(log: FeedLog, last: Manifest, to: str) -> Manifest | None:
    """The batch that ``to`` names; None if it is a watermark."""
    match = _BATCH.fullmatch(to)
    if match is None:
        return None
    sequences = log.sequences(last.epoch)
    epoch, sequence = int(match["epoch"] or last.epoch), int(match["sequence"])
    if epoch == last.epoch and sequence in sequences:
        return log.manifest(epoch, sequence)
    number = last.watermark is not None and last.watermark.kind in {"int", "decimal", "float"}
    if match["epoch"] is None and number:
        return None
    shown = ", ".join(f"{last.epoch}/{each}" for each in sequences[-_LISTED:])
    msg = (
        f"{log.feed.id} has no batch {to} in its current epoch. Its last batches: {shown}. "
        f"See `pipelines state {log.feed.pipeline} --history`."
    )
    raise UsageError(msg)


def _watermark(now: Cursor, to: str) -> Cursor:
    try:
        return written(to.strip().removeprefix("="), now)
    except CursorError as error:
        msg = f"{error} Or name a batch, as `pipelines state NAME --history` shows it: EPOCH/SEQUENCE."
        raise UsageError(msg) from error


def _deleted_since(log: FeedLog, target: Manifest) -> bool:
    """Whether keys were found gone since: what that batch knew of their rows would keep those out that came back."""
    later = (number for number in log.sequences(target.epoch) if number > target.sequence)
    return any(log.manifest(target.epoch, number).kind == "deletes" for number in later)


def _owed(last: Manifest, target: Manifest | None) -> dict[str, Any]:
    """The hashes of rows that the next read meets again and that are not new."""
    if target is None or not target.complete:
        columns, values = last.columns, {}
    else:
        columns = target.columns
        values = {key: packed for key, packed in target.boundary.items() if key not in _EVERYWHERE}
    usable = _EVERYWHERE if columns == last.columns else ("record",)
    return {
        "boundary": values | {key: last.boundary[key] for key in usable if key in last.boundary},
        "columns": columns,
    }
