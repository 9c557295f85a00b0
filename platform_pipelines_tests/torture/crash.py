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
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PACKAGE = Path(durable.__file__).parent
#: what passes effects on for others; who asked for the effect is looked for above
_PASSING_ON = frozenset({"durable.py", "store/effects.py"})


class Crash(BaseException):
    """The process is dead."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which a run may die.

    Attributes:
        moment: before or after the effect.
        kind: of effect.
        site: module and function that asked for it.
    """

    moment: str
    kind: str
    site: str


@dataclass
class Recorder:
    """Notes each moment of a run."""

    points: list[Point] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, moment: str, kind: str, _: str) -> None:
        point = Point(moment, kind, _site())
        with self._lock:
            self.points.append(point)


@dataclass
class Bomb:
    """Dies at the n-th moment, counted from 0.

    Attributes:
        number: n.
        dead: whether it has gone off.
    """

    number: int
    dead: bool = False
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, moment: str, kind: str, what: str) -> None:
        with self._lock:
            self.dead = self.dead or self._count == self.number
            self._count += 1
            if self.dead:
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


def _site() -> str:
    frame = sys._getframe(2)
    while True:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            name = path.relative_to(_PACKAGE).as_posix()
            if name not in _PASSING_ON:
                return f"{name}:{frame.f_code.co_name}"
        assert frame.f_back is not None
        frame = frame.f_back
