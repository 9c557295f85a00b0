from __future__ import annotations

import dagster as dg
import pytest

from platform_pipelines.engine import Progress
from platform_pipelines.model import Feed
from platform_pipelines.orchestration.progress import Watch


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Log:
    """Keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)


def test_progress_is_logged_now_and_then() -> None:
    log, clock = Log(), Clock()
    watch = Watch(log, None, clock)
    for second in range(25):
        clock.now = second
        watch(Progress("load", Feed("orders", "2024-01-01"), 1000 * second, 2_000_000, "warehouse"))
    assert log.lines == [
        "Loading orders/2024-01-01 into warehouse: 10,000 rows, 2.0 MB so far",
        "Loading orders/2024-01-01 into warehouse: 20,000 rows, 2.0 MB so far",
    ]


def test_a_step_that_takes_too_long_is_stopped_and_not_tried_again() -> None:
    clock = Clock()
    watch = Watch(Log(), 60.0, clock)
    clock.now = 60.0
    watch(Progress("extract", Feed("orders"), 5000, 1))
    clock.now = 60.5
    with pytest.raises(dg.Failure, match=r"Landing orders did not end within `timeout` \(60 s\)") as caught:
        watch(Progress("extract", Feed("orders"), 5000, 1))
    assert not caught.value.allow_retries
