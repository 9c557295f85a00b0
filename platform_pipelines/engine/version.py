"""One appearance of a row in one batch, and what became of it up to the destinations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.engine.report import plain

if TYPE_CHECKING:
    from platform_pipelines.engine.sightings import Sighting
    from platform_pipelines.model import Feed, Offset

Outcome = Literal["passed", "rejected", "filtered", "held", "waiting", "replaced", "unknown"]


@dataclass(frozen=True, slots=True)
class Version:
    """A row of the key in a batch.

    Attributes:
        feed: whose batch.
        batch: the batch.
        kind: the batch's kind.
        at: when the batch landed, UTC, ISO 8601.
        run: token of the run that landed it.
        seen: where in its files, and with which cursor.
        outcome: ``passed``: it may be loaded; ``rejected`` by a rule;
            ``filtered`` by a transform; ``held`` at the gate; ``waiting`` for its
            verdict; ``replaced`` with its whole epoch; ``unknown``.
        detail: one sentence.
        rule: the rule that rejected it.
        transform: the transform that filtered it.
        first: when it landed first and with which batch, where a replay brought it back.
    """

    feed: Feed
    batch: Offset
    kind: str
    at: str
    run: str
    seen: Sighting
    outcome: Outcome
    detail: str
    rule: str | None = None
    transform: str | None = None
    first: tuple[str, Offset] | None = None

    @property
    def read(self) -> tuple[str, Offset]:
        """When it was read from the source, and with which batch."""
        return self.first or (self.at, self.batch)

    @property
    def place(self) -> str:
        """The batch as people write it."""
        partition = f" of {self.feed.partition}" if self.feed.partition is not None else ""
        return f"{self.batch.epoch}/{self.batch.sequence}{partition}"

    @property
    def age(self) -> tuple[Any, ...]:
        """What decides between versions of one key: the newest cursor, then what was read later, then the later row."""
        cursor = self.seen.cursor
        return (
            cursor is not None,
            cursor.order if cursor else 0,
            *self.read,
            self.batch,
            self.seen.file,
            self.seen.row,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "partition": self.feed.partition,
            "epoch": self.batch.epoch,
            "sequence": self.batch.sequence,
            "kind": self.kind,
            "at": self.at,
            "run": self.run,
            "file": self.seen.file,
            "row": self.seen.row,
            "cursor": plain(self.seen.cursor),
            "outcome": self.outcome,
            "rule": self.rule,
            "reason": self.seen.reason,
            "transform": self.transform,
            "detail": self.detail,
        }
