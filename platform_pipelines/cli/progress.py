"""A progress bar on stderr, for a person at a terminal only."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from platform_pipelines.cli.output import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from platform_pipelines.engine import Progress
    from platform_pipelines.model import Feed

_VERBS = {"extract": "Reading", "validate": "Checking", "load": "Loading"}


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A listener for a run's progress; None where nobody would see it."""
    if quiet or not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}", markup=False, justify="right"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Listener(bars)


class Listener:
    """Shows one bar a stage; loaders call it from threads of their own."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._rows: dict[str, dict[Feed, int]] = {}
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: Progress) -> None:
        """Take a report of how far a stage has come."""
        what = f"{_VERBS[progress.stage]} {progress.destination or progress.feed.pipeline}"
        with self._lock:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=None, figures="")
            counted = self._rows.setdefault(what, {})
            counted[progress.feed] = progress.rows
            partition = f" {progress.feed.partition}" if progress.feed.partition else ""
            self._bars.update(
                self._tasks[what],
                description=f"{what}{partition}",
                figures=f"{sum(counted.values()):,} rows",
            )
