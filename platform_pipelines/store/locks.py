"""One run at a time on a feed: an advisory lock that dies with its process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.errors import FeedBusy, SpecError
from platform_pipelines.store.effects import named_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: seconds a second run waits for the first, unless PIPELINES_LOCK_WAIT says otherwise
DEFAULT_WAIT = 60.0
_POLL = 0.05


@contextlib.contextmanager
def locked(path: Path, subject: str, owner: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``; the kernel releases it if this process dies.

    Args:
        path: the lock file; created if missing, never removed.
        subject: what is locked, for the message.
        owner: who holds it, for the message others get.
        waiting: told once who holds it, if it is held; whoever is told waits for
            as long as it takes, unless PIPELINES_LOCK_WAIT is set.

    Raises:
        FeedBusy: another run still held it after the wait.
        SpecError: PIPELINES_LOCK_WAIT is not a number.
        ConnectError: the disk is full, read-only or gone.
    """
    with named_errors(path):
        durable.make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, subject, waiting)
        with named_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"owner": owner, "pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, subject: str, waiting: Callable[[str], None] | None) -> None:
    wait = _wait_seconds(DEFAULT_WAIT if waiting is None else math.inf)
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise FeedBusy(_busy(descriptor, subject, wait)) from None
            if waiting is not None:
                waiting(f"{subject} is being worked on by {_holder(descriptor)}.")
                waiting = None
            time.sleep(_POLL)
        else:
            return


def _wait_seconds(default: float) -> float:
    text = os.environ.get("PIPELINES_LOCK_WAIT", "")
    try:
        return float(text) if text else default
    except ValueError as error:
        msg = f"PIPELINES_LOCK_WAIT={text!r} is not a number of seconds. Write it like 60 or 0.5, or leave it out."
        raise SpecError(msg) from error


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"run {holder['owner']} (process {holder['pid']})"
    except ValueError:
        return "another run"


def _busy(descriptor: int, subject: str, wait: float) -> str:
    return (
        f"{subject} is being worked on by {_holder(descriptor)}; waited {wait:g} s. Nothing was lost: run it again "
        "once that run has ended, or wait longer with PIPELINES_LOCK_WAIT=SECONDS."
    )
