"""Dying at an effect: of the effects of a run, numbered as they come, before or after the n-th.

Once dead, nothing has an effect any more: what a process that is gone would not
have done, code that cleans up behind the exception does not do either.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines_tests.torture import callsites, sending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Crash(BaseException):
    """The process is dead."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which a run may die.

    Attributes:
        moment: before or after the effect.
        kind: of effect.
        site: the call that asked for it: ``module:function:call``.
        through: calls of ``store.effects`` on the way.
        sent_by: calls by which a load sent the statement, if it is one; see ``sending``.
    """

    moment: str
    kind: str
    site: str
    through: tuple[str, ...] = field(default=(), compare=False)
    sent_by: tuple[str, ...] = field(default=(), compare=False)

    @property
    def calls(self) -> tuple[str, ...]:
        """All calls in the package that this is a moment of."""
        return (self.site, *self.through, *self.sent_by)


@dataclass
class Recorder:
    """Notes each moment of a run."""

    points: list[Point] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, moment: str, kind: str, _: str) -> None:
        point = _point(moment, kind)
        with self._lock:
            self.points.append(point)


@dataclass
class Bomb:
    """Dies at the n-th moment, counted from 0.

    Attributes:
        number: n.
        only: count moments that equal this one; None counts all. What goes on side by side may take turns otherwise.
        died_at: where it has gone off, if it has.
    """

    number: int
    only: Point | None = None
    died_at: Point | None = None
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, moment: str, kind: str, what: str) -> None:
        with self._lock:
            point = _point(moment, kind)
            if self.only in {None, point}:
                if self._count == self.number:
                    self.died_at = point
                self._count += 1
            if self.died_at is not None:
                msg = f"dead {moment} {kind} {what}"
                raise Crash(msg)


def kill_at(number: int) -> Callable[[str, str, str], None]:
    """A hook that kills this process at the n-th moment."""
    count = iter(range(number + 1))

    def hook(*_: str) -> None:
        if next(count, number) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


@contextlib.contextmanager
def hooked(hook: Callable[[str, str, str], None]) -> Iterator[None]:
    """Let the hook see every effect of this process."""
    durable.hook = hook
    try:
        yield
    finally:
        durable.hook = None


def _point(moment: str, kind: str) -> Point:
    frame = sys._getframe(2)
    site, through = callsites.of_frame(frame)
    return Point(moment, kind, site, through, sending.of_frame(frame))
