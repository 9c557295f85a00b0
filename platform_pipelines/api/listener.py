"""Tells callbacks of a run's records, while the run goes on.

The engine reports how far its stages have come; a record is told as started once
its batch has landed, and its fate once its feed is through. A callback that
raises does not harm the run: it is raised when the run has ended.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from platform_pipelines.api.callbacks import BatchResult

if TYPE_CHECKING:
    from platform_pipelines.api.callbacks import Callbacks
    from platform_pipelines.api.records import RunRecords
    from platform_pipelines.engine import Progress
    from platform_pipelines.model import Feed
    from platform_pipelines.store import Manifest, Verdict


class Listener:
    """Calls ``callbacks`` for the records of one run."""

    def __init__(self, callbacks: Callbacks, records: RunRecords) -> None:
        self._callbacks = callbacks
        self._records = records
        self._lock = threading.Lock()
        self._current: Feed | None = None
        self._started: set[Feed] = set()
        self._finished: set[Feed] = set()
        self._error: Exception | None = None

    def __call__(self, progress: Progress) -> None:
        """Take a report of how far a stage has come; every stage calls from threads of its own.

        Reading and judging run ahead of loading, so they say nothing of the feed before.
        """
        if progress.stage != "load":
            return
        with self._lock:
            if self._current is not None and self._current != progress.feed:
                self._finish(self._current)
            self._current = progress.feed
            self._start(progress.feed)

    def close(self) -> None:
        """Tell what is left.

        Raises:
            Exception: whatever a callback raised first.
        """
        for feed in self._records.feeds():
            self._finish(feed)
        if self._error is not None:
            raise self._error

    def _start(self, feed: Feed) -> None:
        if feed in self._started:
            return
        self._started.add(feed)
        call = self._callbacks.record_start
        for manifest in self._records.landed(feed) if call else ():
            for record in self._records.start_rows(feed, manifest):
                self._tell(call, record)

    def _finish(self, feed: Feed) -> None:
        if feed in self._finished:
            return
        self._start(feed)
        self._finished.add(feed)
        loaded = {
            verdict.offset: verdict
            for verdict in self._records.loaded(feed, [each.name for each in self._records.pipeline.destinations])
        }
        judged = {verdict.offset: verdict for verdict in self._records.judged(feed)}
        landed = {manifest.offset: manifest for manifest in self._records.landed(feed)}
        for offset in sorted({*loaded, *judged, *landed}):
            verdict = judged.get(offset) or loaded.get(offset)
            self._batch(feed, landed.get(offset), verdict, loaded=offset in loaded, judged=offset in judged)

    def _batch(
        self, feed: Feed, manifest: Manifest | None, verdict: Verdict | None, *, loaded: bool, judged: bool
    ) -> None:
        if verdict is not None and loaded and self._callbacks.record_success:
            for record in self._records.loaded_rows(feed, verdict):
                self._tell(self._callbacks.record_success, record)
        if verdict is not None and judged and self._callbacks.record_error:
            for letter in self._records.dead(feed, verdict):
                self._tell(self._callbacks.record_error, letter["record"], f"{letter['rule']}: {letter['reason']}")
        held = verdict is None and self._records.is_held(feed)
        status: Literal["loaded", "held", "failed"] = "loaded" if loaded else "held" if held else "failed"
        self._tell(self._callbacks.batch_complete, _result(feed, manifest, verdict, status))

    def _tell(self, call: object, *arguments: object) -> None:
        if self._error is not None or not callable(call):
            return
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - a caller's own function may raise anything; kept for close()
            self._error = error


def _result(
    feed: Feed, manifest: Manifest | None, verdict: Verdict | None, status: Literal["loaded", "held", "failed"]
) -> BatchResult:
    source = verdict or manifest
    assert source is not None  # noqa: S101 - a batch is known by one of the two
    return BatchResult(
        partition=feed.partition,
        batch=f"{source.epoch}/{source.sequence}",
        status=status,
        rows_in=verdict.rows_in if verdict else manifest.rows + manifest.rejected if manifest else 0,
        rows_out=verdict.rows_out if verdict else 0,
        filtered=verdict.filtered if verdict else 0,
        rejected=verdict.rejected if verdict else 0,
    )
