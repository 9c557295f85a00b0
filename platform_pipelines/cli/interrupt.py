"""Ctrl-C: tidy up if that is quick, else leave at once.

Leaving at once is safe: batches, offsets and rows are committed atomically, and
what an interrupted attempt left behind is swept by the next run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED = "Interrupted; nothing half done: run it again."
#: what a shell reports for a program ended by Ctrl-C: 128 + SIGINT
INTERRUPTED_CODE = 130
#: seconds that cleaning up may take, such as waiting for loader threads
GRACE = 3.0

_SHOW_CURSOR = "\x1b[?25h"
_asked = threading.Event()


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run, whose record is found by its token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first Ctrl-C into KeyboardInterrupt and leave after ``GRACE`` seconds; a second one leaves at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked.clear()
    before = signal.signal(signal.SIGINT, _first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted() -> bool:
    """Whether Ctrl-C was pressed: libraries in C may turn KeyboardInterrupt into an error of another kind."""
    return _asked.is_set()


def _first(_number: int, _frame: FrameType | None) -> None:
    _asked.set()
    signal.signal(signal.SIGINT, lambda *_: _leave())
    timer = threading.Timer(GRACE, _leave)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _leave() -> None:
    cursor = _SHOW_CURSOR if sys.stderr is not None and sys.stderr.isatty() else ""
    os.write(2, f"{cursor}{INTERRUPTED}\n".encode())
    os._exit(INTERRUPTED_CODE)
