"""What each stage and a whole run report, and their JSON form.

Every field that leaves through ``--json`` is a contract. How figures are shown
to people is left to ``cli`` and ``orchestration``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Feed
    from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
    from platform_pipelines.quality.profile import ColumnProfile

RunStatus = Literal["success", "partial", "failed", "gate_closed", "nothing_new"]


@dataclass(frozen=True, slots=True)
class Landed:
    """What one landing of one feed did.

    Attributes:
        feed: the feed.
        batches: batches committed; 0 where there was nothing new.
        rows: rows landed.
        read: rows the source gave.
        deduplicated: rows dropped because the log holds them.
        filtered: rows dropped because their cursor was NULL.
        rejected: records that could not be read as declared.
        deleted: keys found gone at the source; they count as read and landed.
        bytes: bytes landed.
        seconds: wall-clock seconds.
        watermark_from: the watermark before.
        watermark_to: the watermark after.
        schema: Arrow schema of the rows, if any were read.
        transforms: outcomes of the masks ``at: landing``.
    """

    feed: Feed
    batches: int = 0
    rows: int = 0
    read: int = 0
    deduplicated: int = 0
    filtered: int = 0
    rejected: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    watermark_from: Cursor | None = None
    watermark_to: Cursor | None = None
    schema: pa.Schema | None = None
    transforms: tuple[TransformOutcome, ...] = ()

    def to_entry(self) -> dict[str, object]:
        """What the run's record keeps of it, JSON-ready."""
        return {
            "partition": self.feed.key,
            "batches": self.batches,
            "read": self.read,
            "rows": self.rows,
            "deduplicated": self.deduplicated,
            "filtered": self.filtered,
            "rejected": self.rejected,
            "deleted": self.deleted,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "watermark": plain(self.watermark_to),
            "transforms": figures(self.transforms),
        }


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation of one feed's batches found.

    Attributes:
        feed: the feed.
        batches: batches judged.
        rows_in: rows landed in them, unreadable records included.
        rows_out: rows to load.
        filtered: rows taken away by transforms.
        rejected: dead letters.
        flagged: rows with a warning.
        rules: outcomes, summed over the batches.
        transforms: outcomes, summed over the batches.
        score: share of row checks passed, 0 to 1; the lowest of the batches.
        held: why the gate closed; None if it did not.
        bytes: bytes of the rows to load.
        seconds: wall-clock seconds.
        schema: Arrow schema of the rows to load.
        sample: up to 10 rows to load, JSON-ready.
        profile: what each column of the rows to load is like, if ``quality.profile`` asks for it.
    """

    feed: Feed
    batches: int = 0
    rows_in: int = 0
    rows_out: int = 0
    filtered: int = 0
    rejected: int = 0
    flagged: int = 0
    rules: tuple[RuleOutcome, ...] = ()
    transforms: tuple[TransformOutcome, ...] = ()
    score: float = 1.0
    held: str | None = None
    bytes: int = 0
    seconds: float = 0.0
    schema: pa.Schema | None = None
    sample: tuple[dict[str, Any], ...] = ()
    profile: tuple[ColumnProfile, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one destination took of one feed.

    Attributes:
        feed: the feed.
        destination: its name.
        batches: batches loaded.
        read: rows the source had given for them.
        rows: rows loaded, as the destination counted.
        deduplicated: rows left out as older versions, doubles, or without counterpart.
        rejected: dead letters of these batches.
        refused: those of them that the destination would not take.
        filtered: rows filtered out of these batches.
        landed_twice: rows dropped at landing because the log held them.
        bytes: bytes written, where known.
        seconds: wall-clock seconds.
        ddl: schema changes made.
        reconciled: outcomes of the rules that compare the destination with the source.
    """

    feed: Feed
    destination: str
    batches: int = 0
    read: int = 0
    rows: int = 0
    deduplicated: int = 0
    rejected: int = 0
    refused: int = 0
    filtered: int = 0
    landed_twice: int = 0
    bytes: int = 0
    seconds: float = 0.0
    ddl: tuple[str, ...] = ()
    reconciled: tuple[RuleOutcome, ...] = ()

    @property
    def accounted(self) -> bool:
        """Whether read = loaded + rejected + filtered + deduplicated."""
        return self.read == self.rows + self.rejected + self.filtered + self.deduplicated + self.landed_twice


@dataclass(frozen=True, slots=True)
class DestinationReport:
    """One destination in a run: success, failed or skipped; rows loaded; the error's text."""

    status: Literal["success", "failed", "skipped"]
    rows: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, as ``pipelines run --json`` prints it.

    Attributes:
        pipeline: its name.
        status: success, partial, failed, gate_closed or nothing_new.
        token: the run's token.
        partitions: keys that ran.
        watermark_from: before the run, of the only or the last feed.
        watermark_to: after it.
        read: rows the source gave.
        filtered: rows taken away by transforms or for a NULL cursor.
        deduplicated: rows the log or the destination already had.
        rejected: dead letters.
        flagged: rows with a warning.
        bytes: bytes landed.
        seconds: wall-clock seconds.
        destinations: by name.
        error: text of the first error.
        exit_code: for the command line.
        errors: the exceptions behind ``failed`` destinations and feeds.
    """

    pipeline: str
    status: RunStatus
    token: str
    partitions: tuple[str, ...] = ()
    watermark_from: Cursor | None = None
    watermark_to: Cursor | None = None
    read: int = 0
    filtered: int = 0
    deduplicated: int = 0
    rejected: int = 0
    flagged: int = 0
    bytes: int = 0
    seconds: float = 0.0
    destinations: dict[str, DestinationReport] = field(default_factory=dict)
    error: str | None = None
    exit_code: int = 0
    errors: tuple[BaseException, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that ``run --json`` prints; its keys are a contract."""
        return {
            "pipeline": self.pipeline,
            "status": self.status,
            "token": self.token,
            "partitions": list(self.partitions),
            "watermark": {"from": plain(self.watermark_from), "to": plain(self.watermark_to)},
            "rows": {
                "read": self.read,
                "filtered": self.filtered,
                "deduplicated": self.deduplicated,
                "rejected": self.rejected,
                "flagged": self.flagged,
                "loaded": {name: report.rows for name, report in self.destinations.items()},
            },
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "destinations": {
                name: {"status": report.status, "rows": report.rows, "error": report.error}
                for name, report in self.destinations.items()
            },
            "error": self.error,
        }


def figures(outcomes: Iterable[TransformOutcome]) -> list[dict[str, Any]]:
    """What each transform did, as records of a run and metadata show it."""
    return [
        {
            "transform": item.label,
            "kind": item.kind,
            "rows_in": item.rows_in,
            "rows_out": item.rows_out,
            "dropped": item.dropped,
            "added": item.added,
            "rejected": item.rejected,
            "skipped": item.skipped,
            "seconds": round(item.seconds, 3),
            "note": item.note,
            "error": item.error or "",
        }
        for item in outcomes
    ]


def plain(cursor: Cursor | None) -> int | str | None:
    """A watermark as JSON shows it."""
    return None if cursor is None else cursor.plain()
