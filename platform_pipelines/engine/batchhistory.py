"""The history of a pipeline's feeds: every batch that landed, with the watermark it left.

Read from manifests and verdicts, which retention leaves in place. Runs are in
``runhistory``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.report import plain

if TYPE_CHECKING:
    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.project import Project
    from platform_pipelines.store import FeedLog


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to a feed.

    Attributes:
        partition: the feed's partition key; None for a pipeline without partitions.
        epoch: counted from 1.
        sequence: of the batch; None where an epoch was begun.
        kind: ``epoch``, or the batch's: ``extract``, ``window``, ``replay``, ``rewind``.
        at: UTC, ISO 8601.
        run: token of the run, or of whoever reset or rewound.
        reason: why the epoch was begun.
        watermark_from: the watermark before the batch.
        watermark_to: the watermark after it.
        status: what became of the batch: unjudged, held, passed, released or discarded.
        read: rows the source gave.
        rows: rows landed.
        rejected: dead letters.
    """

    partition: str | None
    epoch: int
    sequence: int | None
    kind: str
    at: str
    run: str
    reason: str | None = None
    watermark_from: Cursor | None = None
    watermark_to: Cursor | None = None
    status: str | None = None
    read: int = 0
    rows: int = 0
    rejected: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "partition": self.partition,
            "epoch": self.epoch,
            "sequence": self.sequence,
            "kind": self.kind,
            "at": self.at,
            "run": self.run,
            "reason": self.reason,
            "watermark": {"from": plain(self.watermark_from), "to": plain(self.watermark_to)},
            "status": self.status,
            "rows": {"read": self.read, "landed": self.rows, "rejected": self.rejected},
        }


def watermark_history(project: Project, name: str, partition: str | None = None) -> list[HistoryEntry]:
    """What happened to the feeds of a pipeline, newest first.

    Args:
        project: the project.
        name: the pipeline.
        partition: one partition; None shows all.

    Raises:
        UsageError: no such pipeline or partition.
    """
    spec = project.pipeline(name)
    feeds = project.store.feeds(name) if partition is None else [spec.feed(partition)]
    found = [entry for feed in feeds for entry in _of_feed(project.store.feed(feed))]
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def _of_feed(log: FeedLog) -> list[HistoryEntry]:
    """Newest first, so that entries of one instant keep their order."""
    found: list[HistoryEntry] = []
    for epoch in log.epochs():
        info = log.epoch_info(epoch)
        token, at, reason = info.get("token", ""), info.get("created_at", ""), info.get("reason")
        found.append(HistoryEntry(log.feed.partition, epoch, None, "epoch", at, token, reason))
        found += _of_epoch(log, epoch)
    return found[::-1]


def _of_epoch(log: FeedLog, epoch: int) -> list[HistoryEntry]:
    found: list[HistoryEntry] = []
    before: Cursor | None = None
    held = log.held(epoch)
    for sequence in log.sequences(epoch):
        manifest, verdict = log.manifest(epoch, sequence), log.verdict(epoch, sequence)
        blocked = held is not None and held.sequence == sequence
        status = verdict.status if verdict else "held" if blocked else "unjudged"
        found.append(
            HistoryEntry(
                partition=log.feed.partition,
                epoch=epoch,
                sequence=sequence,
                kind=manifest.kind,
                at=manifest.created_at,
                run=manifest.token,
                watermark_from=before,
                watermark_to=manifest.watermark,
                status=status,
                read=manifest.read,
                rows=manifest.rows,
                rejected=verdict.rejected if verdict else manifest.rejected,
            )
        )
        before = manifest.watermark
    return found
