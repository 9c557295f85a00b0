"""The next page asked for while this one is still being read: one request at a time all the same.

Which page that is, is a guess of ``rest_fetch``; one that was wrong is dropped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from platform_pipelines.connectors.rest_pagers import Turn

T = TypeVar("T")


class Early(Generic[T]):
    """Asks for one page in another thread.

    Args:
        send: asks for a page.
    """

    def __init__(self, send: Callable[[Turn], T]) -> None:
        self._send = send
        self._pool: ThreadPoolExecutor | None = None
        self._asked: tuple[str, Future[T]] | None = None

    def ask(self, turn: Turn) -> None:
        """Begin to ask for a page."""
        self._pool = self._pool or ThreadPoolExecutor(1, "next-page")
        self._asked = turn.token, self._pool.submit(self._send, turn)

    def take(self, turn: Turn) -> T:
        """The answer for a page; asked for now if it was not before.

        Raises:
            ConnectError: see ``Client.send``.
            InvalidData: likewise.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            return self._send(turn)
        token, future = asked
        return future.result() if token == turn.token else self._after(future, turn)

    def close(self) -> None:
        """Leave what is under way to end with its connection."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _after(self, future: Future[T], turn: Turn) -> T:
        """A page that was not foretold, once the request for the other one is over: one at a time."""
        future.exception()
        return self._send(turn)
