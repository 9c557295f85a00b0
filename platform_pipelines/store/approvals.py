"""Batches that wait for a person: what is asked, and what was answered.

    <store>/<pipeline>/approvals/
        <all | p-KEY>~e000001-000004.request.json    why, since when, until when, which runs asked
        <all | p-KEY>~e000001-000004.answer.json     who let it through, and when

A request is there as long as its batch is held. What an answer leads to is left
to the engine; the verdict on the batch keeps it for good.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.model import Offset
from platform_pipelines.store import effects

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Feed

_REQUEST = ".request.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said: who, and when (UTC, ISO 8601)."""

    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Request:
    """One batch that waits.

    Attributes:
        partition: of its feed.
        epoch: of the batch.
        sequence: of the batch.
        score: its quality score, 0 to 1.
        min_score: the score it should have.
        asked_at: since when, UTC, ISO 8601.
        deadline: until when, UTC, ISO 8601; None for ever.
        unanswered: what happens then.
        tokens: of the runs that held it, oldest first.
        answer: None until a person answered.
    """

    partition: str | None
    epoch: int
    sequence: int
    score: float
    min_score: float
    asked_at: str
    deadline: str | None
    unanswered: Literal["discard", "release"]
    tokens: tuple[str, ...]
    answer: Answer | None = None

    @property
    def offset(self) -> Offset:
        """The batch's place in its feed."""
        return Offset(self.epoch, self.sequence)

    def expired(self, now: dt.datetime) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and now >= dt.datetime.fromisoformat(self.deadline)


class ApprovalLog:
    """The requests of one pipeline in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, feed: Feed, request: Request) -> Request:
        """Put a request, durably; one that is there keeps its deadline and its answer, and gets the new token."""
        known = self.find(feed, request.offset)
        if known is not None:
            request = replace(known, tokens=(*known.tokens, *request.tokens), score=request.score)
        body = asdict(replace(request, answer=None))
        effects.replace(self._path(feed, request.offset, "request"), json.dumps(body, indent=1).encode())
        return request

    def answer(self, feed: Feed, offset: Offset, answer: Answer) -> bool:
        """Answer a request, durably; False if somebody did already."""
        body = json.dumps(asdict(answer), indent=1).encode()
        return effects.create_if_absent(self._path(feed, offset, "answer"), body)

    def find(self, feed: Feed, offset: Offset) -> Request | None:
        """The request of a batch, if it waits."""
        return self._read(self._path(feed, offset, "request"))

    def close(self, feed: Feed, offset: Offset) -> None:
        """Forget a request: its batch has a verdict."""
        for kind in ("answer", "request"):
            path = self._path(feed, offset, kind)
            if path.exists():
                effects.remove(path)

    def sweep(self) -> None:
        """Remove what killed processes left half written."""
        effects.sweep(self._folder)

    def requests(self) -> list[Request]:
        """All requests, oldest first."""
        if not self._folder.is_dir():
            return []
        found = [self._read(path) for path in self._folder.iterdir() if path.name.endswith(_REQUEST)]
        return sorted((each for each in found if each is not None), key=lambda request: request.asked_at)

    def _read(self, path: Path) -> Request | None:
        try:
            body = json.loads(path.read_bytes())
            given = path.with_name(path.name.removesuffix(_REQUEST) + ".answer.json")
            answer = Answer(**json.loads(given.read_bytes())) if given.is_file() else None
            return Request(**{**body, "tokens": tuple(body["tokens"]), "answer": answer})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            msg = f"Request {path} is unreadable ({type(error).__name__}: {error}). Remove it; the next run asks anew."
            raise StoreCorrupt(msg) from error

    def _path(self, feed: Feed, offset: Offset, kind: str) -> Path:
        return self._folder / f"{feed.folder}~e{offset.epoch:06d}-{offset.sequence:06d}.{kind}.json"
