"""What listings tell of a feed, found out once for as long as its log does not change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from platform_pipelines import collector
from platform_pipelines.cursor import Cursor
from platform_pipelines.engine.refusing import refused
from platform_pipelines.engine.replaying import count_open
from platform_pipelines.model import Offset
from platform_pipelines.store import FeedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.store import Manifest

_Answer = TypeVar("_Answer")
#: to be raised with every change of the fields below, or of how the index writes them down
SHAPE = 2


@dataclass(frozen=True, slots=True)
class Digest:
    """One feed, as its log tells.

    Attributes:
        epoch: the current epoch; None before the first.
        live: the epoch that destinations load; None before the first extract is complete.
        batches: batches of the current epoch.
        rows: rows landed in the current epoch.
        landed_at: when its last batch landed, UTC, ISO 8601.
        mark: the watermark, as manifests hold it.
        unjudged: batches of the live epoch without a verdict.
        held: why a batch is held; None if none is.
        sealed: first and last sequence of each unbroken row of batches with a sealed verdict, in the live epoch.
        dead: open dead letters, those that destinations refused included.
        kept: offsets that the log keeps, epoch and sequence by destination.
    """

    epoch: int | None = None
    live: int | None = None
    batches: int = 0
    rows: int = 0
    landed_at: str | None = None
    mark: dict[str, str] | None = None
    unjudged: int = 0
    held: str | None = None
    sealed: list[list[int]] = field(default_factory=list)
    dead: int = 0
    kept: dict[str, list[int]] = field(default_factory=dict)

    @property
    def watermark(self) -> Cursor | None:
        """The feed's watermark."""
        return None if self.mark is None else Cursor.from_json(self.mark)

    def kept_offset(self, destination: str) -> Offset | None:
        """The offset that the log keeps for a destination."""
        return Offset(*self.kept[destination]) if destination in self.kept else None

    def sealed_after(self, sequence: int) -> int:
        """How many batches beyond ``sequence`` destinations could load."""
        return sum(max(0, last - max(first - 1, sequence)) for first, last in self.sealed)


def digests(project: Project, name: str, feeds: Sequence[Feed]) -> list[Digest]:
    """The digest of each of a pipeline's feeds."""
    index = project.store.index(name, SHAPE)
    found = index.digests(feeds, lambda feed: asdict(_digest(_Glance(project.store.feed(feed)))))
    with collector.resting():
        return [Digest(**each) for each in found]


class _Glance(FeedLog):
    """A log that is looked at once: of what it is asked again, the first answer stands."""

    def __init__(self, log: FeedLog) -> None:
        super().__init__(log.folder, log.feed)
        self._told: dict[tuple[str, int], Any] = {}

    def epochs(self) -> list[int]:
        return self._once("epochs", 0, super().epochs)

    def live_epoch(self) -> int | None:
        return self._once("live", 0, super().live_epoch)

    def sequences(self, epoch: int) -> list[int]:
        return self._once("sequences", epoch, partial(super().sequences, epoch))

    def sealed(self, epoch: int) -> set[int]:
        return self._once("sealed", epoch, partial(super().sealed, epoch))

    def replays(self, epoch: int) -> list[Manifest]:
        return self._once("replays", epoch, partial(super().replays, epoch))

    def manifest(self, epoch: int, sequence: int) -> Manifest:
        return self._once(f"manifest {sequence}", epoch, partial(super().manifest, epoch, sequence))

    def _once(self, what: str, epoch: int, ask: Callable[[], _Answer]) -> _Answer:
        if (what, epoch) not in self._told:
            self._told[what, epoch] = ask()
        found: _Answer = self._told[what, epoch]
        return found


def _digest(log: FeedLog) -> Digest:
    epoch, live = max(log.epochs(), default=None), log.live_epoch()
    last = log.last(epoch) if epoch is not None else None
    held = log.held(live) if live is not None else None
    sealed = log.sealed(live) if live is not None else set()
    return Digest(
        epoch=epoch,
        live=live,
        batches=len(log.sequences(epoch)) if epoch is not None else 0,
        rows=log.rows(epoch) if epoch is not None else 0,
        landed_at=last.created_at if last else None,
        mark=last.watermark.to_json() if last and last.watermark else None,
        unjudged=len(set(log.sequences(live)) - sealed) if live is not None else 0,
        held=held.reason if held else None,
        sealed=_runs(sealed),
        dead=count_open(log) + sum(each.rows for each in refused(log)),
        kept={name: [offset.epoch, offset.sequence] for name, offset in log.offsets().items()},
    )


def _runs(numbers: set[int]) -> list[list[int]]:
    """First and last of each unbroken row of numbers, ascending."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
