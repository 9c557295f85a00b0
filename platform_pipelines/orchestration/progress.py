"""How far a step has come, in its log; and the end of a step that takes too long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.engine import Progress

#: seconds between two lines of progress
INTERVAL = 10.0
_VERBS = {"extract": "landing", "validate": "validating", "load": "loading"}


class Logger(Protocol):
    """What is needed of a step's log."""

    def info(self, message: str) -> None:
        """Write one line."""


class Watch:
    """Listens to a stage: logs its progress, and raises once ``timeout`` seconds have passed.

    A stage stops between two of its batches, with nothing half done. A call that
    hangs inside a driver is ended by Dagster's run monitoring instead, by the run
    tag ``dagster/max_runtime``.
    """

    def __init__(self, log: Logger, timeout: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._timeout = timeout
        self._clock = clock
        self._started = clock()
        self._told = self._started

    def __call__(self, progress: Progress) -> None:
        """Take note of progress.

        Raises:
            dagster.Failure: the time is up; the step is not tried again.
        """
        now = self._clock()
        if self._timeout is not None and now - self._started > self._timeout:
            msg = (
                f"{_where(progress)} did not end within `timeout` ({self._timeout:g} s) and was stopped after "
                f"{progress.rows:,} rows. What is committed stays; run again to go on, or raise `timeout`."
            )
            raise dg.Failure(description=msg, allow_retries=False)
        if now - self._told >= INTERVAL:
            self._told = now
            self._log.info(f"{_where(progress)}: {progress.rows:,} rows, {progress.bytes / 1e6:,.1f} MB so far")


def _where(progress: Progress) -> str:
    target = f" into {progress.destination}" if progress.destination else ""
    return f"{_VERBS[progress.stage].capitalize()} {progress.feed.id}{target}"
