"""Sums what happened to the feeds of a run into one report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines.engine.report import DestinationReport, RunReport
from platform_pipelines.errors import GateClosed, PipelinesError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.report import Landed, Loaded, RunStatus, Validated
    from platform_pipelines.model import Feed


@dataclass(slots=True)
class Outcome:
    """What happened to one feed in one run.

    Attributes:
        overtaken: rows that were to come again at a destination other than the first, and that newer ones kept out.
    """

    feed: Feed
    landed: Landed | None = None
    validated: Validated | None = None
    loaded: dict[str, Loaded] = field(default_factory=dict)
    failed: dict[str, PipelinesError] = field(default_factory=dict)
    error: PipelinesError | None = None
    overtaken: int = 0


def summarize(context: Context, outcomes: Sequence[Outcome], *, partitioned: bool) -> RunReport:
    """One report of all feeds; ``seconds`` is left to the caller."""
    errors = [error for o in outcomes for error in ([o.error] if o.error else []) + list(o.failed.values())]
    status = _status(outcomes)
    landed = [o.landed for o in outcomes if o.landed]
    validated = [o.validated for o in outcomes if o.validated]
    return RunReport(
        pipeline=context.pipeline.name,
        status=status,
        token=context.token,
        partitions=tuple(o.feed.key for o in outcomes) if partitioned else (),
        watermark_from=_highest(item.watermark_from for item in landed),
        watermark_to=_highest(item.watermark_to for item in landed),
        read=sum(item.read for item in landed),
        filtered=sum(item.filtered for item in landed) + sum(item.filtered for item in validated),
        deduplicated=sum(item.deduplicated for item in landed) + _deduplicated(outcomes),
        rejected=sum(item.rejected for item in validated) + _refused(outcomes),
        flagged=sum(item.flagged for item in validated),
        bytes=sum(item.bytes for item in landed),
        destinations=_destinations(context, outcomes),
        error=mask(str(errors[0])) if errors else None,
        exit_code=_exit_code(status, errors),
        errors=tuple(errors),
    )


def _status(outcomes: Sequence[Outcome]) -> RunStatus:
    if any(isinstance(o.error, GateClosed) for o in outcomes):
        return "gate_closed"
    failed = sum(len(o.failed) for o in outcomes)
    done = sum(len(o.loaded) for o in outcomes)
    broken = sum(o.error is not None for o in outcomes)
    if broken or failed:
        return "partial" if done and (failed or broken < len(outcomes)) else "failed"
    moved = any((o.landed and o.landed.batches) or (o.validated and o.validated.batches) for o in outcomes)
    moved = moved or any(item.batches for o in outcomes for item in o.loaded.values())
    return "success" if moved else "nothing_new"


def _exit_code(status: RunStatus, errors: Sequence[PipelinesError]) -> int:
    if status in {"success", "nothing_new"}:
        return 0
    if status == "gate_closed":
        return GateClosed.exit_code
    return errors[0].exit_code if status == "failed" and errors else 1


def _highest(cursors: Iterable[Cursor | None]) -> Cursor | None:
    known = [cursor for cursor in cursors if cursor is not None]
    return max(known, key=lambda cursor: cursor.order) if known else None


def _refused(outcomes: Sequence[Outcome]) -> int:
    """Dead letters that destinations made."""
    return sum(item.refused for o in outcomes for item in o.loaded.values())


def _deduplicated(outcomes: Sequence[Outcome]) -> int:
    """Rows left out at the destination; where destinations differ, the first one's figure."""
    return sum(next((item.deduplicated for item in o.loaded.values()), 0) + o.overtaken for o in outcomes)


def _destinations(context: Context, outcomes: Sequence[Outcome]) -> dict[str, DestinationReport]:
    reports = {}
    for name in (destination.name for destination in context.pipeline.destinations):
        rows = sum(o.loaded[name].rows for o in outcomes if name in o.loaded)
        error = next((o.failed[name] for o in outcomes if name in o.failed), None)
        if error is not None:
            reports[name] = DestinationReport("failed", rows, mask(str(error)))
        elif any(name in o.loaded for o in outcomes):
            reports[name] = DestinationReport("success", rows)
        elif any(o.error for o in outcomes):
            reports[name] = DestinationReport("skipped")
    return reports
