"""State for people: watermark, batches, what each destination has, what is held.

State is read from the log and the destinations' offsets; nothing here is
memory of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import collector
from platform_pipelines.engine.context import Context
from platform_pipelines.engine.digest import digests
from platform_pipelines.engine.heldbatch import lost
from platform_pipelines.engine.offsets import Offsets
from platform_pipelines.engine.report import plain
from platform_pipelines.errors import PipelinesError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.digest import Digest
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.store import FeedLog


@dataclass(frozen=True, slots=True)
class DestinationState:
    """How far a destination has come with a feed.

    Attributes:
        epoch: of the last batch loaded; None if there was none.
        sequence: of the last batch loaded.
        behind: batches it could load now; None where it cannot be asked.
        error: why it could not be asked.
    """

    epoch: int | None = None
    sequence: int | None = None
    behind: int | None = 0
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"epoch": self.epoch, "sequence": self.sequence, "behind": self.behind, "error": self.error}


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed.

    Attributes:
        feed: the feed.
        epoch: the current epoch.
        watermark: its watermark.
        batches: batches of the current epoch.
        rows: rows landed in the current epoch.
        landed_at: when the last batch landed, UTC, ISO 8601.
        unjudged: batches without a verdict.
        held: why a batch is held; None if none is.
        lost: why that batch can be neither let through nor dropped; None where it can.
        destinations: by name.
    """

    feed: Feed
    epoch: int | None = None
    watermark: Cursor | None = None
    batches: int = 0
    rows: int = 0
    landed_at: str | None = None
    unjudged: int = 0
    held: str | None = None
    lost: str | None = None
    destinations: dict[str, DestinationState] | None = None

    @property
    def told(self) -> str | None:
        """What is to be said of the batch that is held."""
        return f"{self.held} {self.lost}" if self.held and self.lost else self.held

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "partition": self.feed.partition,
            "epoch": self.epoch,
            "watermark": plain(self.watermark),
            "batches": self.batches,
            "rows": self.rows,
            "landed_at": self.landed_at,
            "unjudged": self.unjudged,
            "held": self.told,
            "destinations": {name: item.to_json() for name, item in (self.destinations or {}).items()},
        }


@dataclass(frozen=True, slots=True)
class StateReport:
    """The feeds of a pipeline.

    Attributes:
        pipeline: its name.
        feeds: those that were looked at.
        others: how many were not, all of them before these by their keys.
        declared: names of the pipeline's destinations.
    """

    pipeline: str
    feeds: tuple[FeedState, ...]
    others: int = 0
    declared: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that ``state --json`` prints: the newest feed's figures on top, all feeds below.

        Of a pipeline that never ran, destinations have loaded nothing; none is asked.
        """
        newest = max(self.feeds, key=lambda feed: feed.landed_at or "", default=None)
        nothing = {name: DestinationState().to_json() for name in self.declared}
        top = newest.to_json() if newest else {"watermark": None, "destinations": nothing}
        return {
            "pipeline": self.pipeline,
            "watermark": top["watermark"],
            "batches": sum(feed.batches for feed in self.feeds),
            "held": next((feed.told for feed in self.feeds if feed.told), None),
            "destinations": top["destinations"],
            "feeds": [feed.to_json() for feed in self.feeds],
        }


def state(project: Project, name: str, newest: int | None = None) -> StateReport:
    """The state of every feed that has a log.

    Args:
        project: the project.
        name: the pipeline.
        newest: look at so many feeds only, the last ones by their keys; None for all.

    Raises:
        UsageError: no such pipeline.
    """
    context = Context(project=project, pipeline=project.pipeline(name), token="")
    feeds = project.store.feeds(name)
    asked = feeds if newest is None else feeds[-newest:]
    offsets = {each.name: Offsets(context, each) for each in context.pipeline.destinations}
    with collector.resting():
        states = [
            _feed_state(context.log(feed), digest, offsets, many=len(asked) > 1)
            for feed, digest in zip(asked, digests(project, name, asked), strict=True)
        ]
    return StateReport(name, tuple(states), len(feeds) - len(asked), tuple(offsets))


def _feed_state(log: FeedLog, digest: Digest, offsets: dict[str, Offsets], *, many: bool) -> FeedState:
    feed, held = log.feed, log.held(digest.live) if digest.held and digest.live is not None else None
    return FeedState(
        feed=feed,
        epoch=digest.epoch,
        watermark=digest.watermark,
        batches=digest.batches,
        rows=digest.rows,
        landed_at=digest.landed_at,
        unjudged=digest.unjudged,
        held=digest.held,
        lost=lost(log, held) if held else None,
        destinations={name: destination_state(feed, digest, name, each, many=many) for name, each in offsets.items()},
    )


def destination_state(feed: Feed, digest: Digest, name: str, offsets: Offsets, *, many: bool) -> DestinationState:
    """How far a destination has come with a feed; ``many`` as in :meth:`Offsets.of`."""
    try:
        offset = offsets.of(feed, digest.kept_offset(name), many=many)
    except PipelinesError as error:
        return DestinationState(behind=None, error=mask(str(error)))
    if digest.live is None:
        return DestinationState(*((offset.epoch, offset.sequence) if offset else (None, None)))
    behind = digest.sealed_after(offset.sequence if offset and offset.epoch == digest.live else 0)
    if offset is None:
        return DestinationState(behind=behind)
    return DestinationState(offset.epoch, offset.sequence, behind)
