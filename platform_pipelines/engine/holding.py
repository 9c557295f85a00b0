"""Keeps destinations open between loads that follow each other closely, and no longer.

Opening and closing some destinations (a DuckDB file) costs more than a small
load; keeping them open keeps other processes out.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import TimeoutError as StillWorking
from typing import TYPE_CHECKING, Self

from platform_pipelines.errors import PipelinesError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from platform_pipelines.engine.context import Context

#: seconds that a destination is kept open while the next feed is still being read
PATIENCE = 1.0


class Holding:
    """Destinations of one run, open or not.

    Args:
        context: the run.
        targets: names of the destinations; empty to hold none.
    """

    def __init__(self, context: Context, targets: list[str]) -> None:
        self._context = context
        self._connectors = sorted({d.connector for d in context.pipeline.destinations if d.name in targets})
        self._stack: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Open them; one that cannot be opened says so when it is loaded."""
        if self._stack is None:
            self._stack = contextlib.ExitStack()
            for name in self._connectors:
                with contextlib.suppress(PipelinesError):
                    self._stack.enter_context(self._context.connector(name).held())

    def release(self) -> None:
        """Close them."""
        if self._stack is not None:
            self._stack.close()
            self._stack = None

    def wait_for(self, work: Future[None]) -> None:
        """Wait for work that comes before the next load; let go of the destinations if it takes long."""
        try:
            work.result(PATIENCE)
        except StillWorking:
            self.release()
            work.result()
