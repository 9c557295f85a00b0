"""Work done ahead of its reader, in other threads: results come in order, errors where they happened.

What the work is, is left to the callers.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")
_POLL = 0.1
#: seconds that a thread is given to end
_MOMENT = 1.0


class _Ahead(Generic[T]):
    """A thread that fills a queue from an iterator until it is told to stop."""

    def __init__(self, items: Iterable[T], most: int) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(most)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="read-ahead")
        self._thread.start()

    def read(self) -> Generator[T]:
        while True:
            item, error, ended = self._queue.get()
            if error is not None:
                raise error
            if ended:
                return
            yield item  # type: ignore[misc]

    def stop(self) -> None:
        """Give the thread a moment to end; one that waits for an answer ends with its connection."""
        self._stopped.set()
        self._thread.join(_MOMENT)

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None, False)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where it is read
            self._put((None, error, True))
        else:
            self._put((None, None, True))

    def _put(self, entry: tuple[T | None, BaseException | None, bool]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=_POLL)
            except queue.Full:
                continue
            return True
        return False


def ahead(items: Iterable[T], most: int) -> Generator[T]:
    """The items, taken from their iterator by another thread, at most ``most`` ahead of the reader."""
    worker = _Ahead(items, most)
    try:
        yield from worker.read()
    finally:
        worker.stop()


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R]:
    """``function`` of each item, several at once; results in the order of the items."""
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
