"""An API that takes records, knows a request by its key, and misbehaves on request, after having done what it was asked."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Self

from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "idempotency-key"


class Sink:
    """Records by id, each applied once for one key.

    Attributes:
        api: the server.
        stored: the records, by id.
        applied: how often each id was applied.
        refuses: says why it will not take a record; None takes it.
        before: answers instead of doing anything, one for each request.
        after: answers after the request was done, one for each request.
    """

    def __init__(self) -> None:
        self.api = ApiServer()
        self.stored: dict[Any, dict[str, Any]] = {}
        self.applied: Counter[Any] = Counter()
        self.refuses: Callable[[dict[str, Any]], str | None] = lambda _: None
        self.before: deque[Answer] = deque()
        self.after: deque[Answer] = deque()
        self._answered: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self.api.serve("/contacts", self._single)
        self.api.serve("/contacts/*", self._single)
        self.api.serve("/batch", self._batch)
        self.api.serve("/strict", self._strict)
        self.api.serve("/", Answer(json={}))

    def __enter__(self) -> Self:
        self.api.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.__exit__(*exc)

    def snapshot(self) -> tuple[Any, ...]:
        """Its present state, for :meth:`restore`."""
        return dict(self.stored), self.applied.copy(), dict(self._answered)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Come back to a state that it was in."""
        stored, applied, answered = state
        self.stored, self.applied, self._answered = dict(stored), applied.copy(), dict(answered)

    @property
    def keys(self) -> list[str]:
        """The keys of all requests, in order."""
        return [each.headers[KEY] for each in self.api.asked if KEY in each.headers]

    def _single(self, asked: Asked) -> Answer:
        return self._once(asked, lambda: self._write(asked))

    def _write(self, asked: Asked) -> Answer:
        place = asked.path.removeprefix("/contacts").removeprefix("/")
        if asked.method == "DELETE":
            return Answer(status=204) if self.stored.pop(place, None) else Answer(status=404, json={"error": "unknown"})
        record = asked.json()
        name = place or str(record.get("id"))
        if asked.method == "PATCH" and name not in self.stored:
            return Answer(status=404, json={"error": "unknown"})
        if reason := self.refuses(record):
            return Answer(status=422, json={"error": reason})
        self._apply(name, record)
        return Answer(status=201, json={"id": name})

    def _batch(self, asked: Asked) -> Answer:
        """Takes what it can, and says so of each."""

        def write() -> Answer:
            results = []
            for record in asked.json()["inputs"]:
                reason = self.refuses(record)
                if reason is None:
                    self._apply(str(record["id"]), record)
                results.append({"id": record["id"], "ok": reason is None, "error": {"text": reason}})
            return Answer(json={"results": results})

        return self._once(asked, write)

    def _strict(self, asked: Asked) -> Answer:
        """Takes all or nothing, and does not say whose fault it was."""

        def write() -> Answer:
            if any(self.refuses(record) for record in asked.json()):
                return Answer(status=400, json={"error": "some record is not right"})
            for record in asked.json():
                self._apply(str(record["id"]), record)
            return Answer(status=200, json={})

        return self._once(asked, write)

    def _apply(self, name: str, record: dict[str, Any]) -> None:
        self.stored[name] = record
        self.applied[name] += 1

    def _once(self, asked: Asked, write: Callable[[], Answer]) -> Answer:
        with self._lock:
            if self.before:
                return self.before.popleft()
            key = asked.headers.get(KEY)
            answer = self._answered.get(key) if key else None
            if answer is None:
                answer = write()
                if key:
                    self._answered[key] = answer
            return self.after.popleft() if self.after else answer
