"""The warm process: it imports what runs need, waits, and forks a process for each of them.

``python -m platform_pipelines.orchestration.launcher.nursery TASK``, started by a
code server; nothing is in common with that server but the environment. It has one
thread and holds no connection to anything, so that forking it is safe; it ends
when the code server does, once its runs have ended. If code that it has imported
changed on disk, it refuses the run, which Dagster's own launcher then starts, and
leaves its seat to a process that imports anew. What a run does is left to ``birth``.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import selectors
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.project import defs_folder
from platform_pipelines.orchestration.launcher import birth, wire
from platform_pipelines.orchestration.launcher.errors import NotWarm
from platform_pipelines.orchestration.launcher.freshness import stamp
from platform_pipelines.orchestration.launcher.offer import Task, start, task_in
from platform_pipelines.orchestration.launcher.worker import worker

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from platform_pipelines.orchestration.launcher.freshness import Stamp

_LOG = logging.getLogger("platform_pipelines.warm")
_FORK = multiprocessing.get_context("fork")
#: seconds that a launcher may take to say what it wants
_PATIENCE = 5.0
_WAITING = 64
_LIFELINE = 0


class Nursery:
    """Serves one seat.

    Args:
        task: what to load and where to listen.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._children: dict[int, tuple[BaseProcess, str]] = {}
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._loaded: Stamp = {}

    def serve(self) -> None:
        """Load, listen, and fork until the code server is gone or what was loaded has changed."""
        before = self._stamp()
        birth.load(self._task.pointer, self._task.instance)
        self._loaded = self._stamp()
        self._check_still(before)
        gc.collect()
        gc.freeze()  # what is there is not looked at by the collectors of children, and so stays shared with them
        _check_alone()
        self._listen()
        self._selector.register(_LIFELINE, selectors.EVENT_READ)
        while self._listener is not None or self._children:
            for key, _ in self._selector.select():
                self._take_up(key.fileobj)

    def _take_up(self, file: Any) -> None:  # noqa: ANN401 - as selectors declares it
        if file is self._listener:
            self._answer()
        elif file == _LIFELINE:
            self._selector.unregister(_LIFELINE)
            self._leave()
        else:
            self._bury(file)

    def _listen(self) -> None:
        path = Path(self._task.seat.path)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # a socket is gone with its process: no durable effect
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # 0600 from the first moment on
        try:
            listener.bind(self._task.seat.path)
        finally:
            os.umask(before)
        listener.listen(_WAITING)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)

    def _leave(self) -> None:
        if self._listener is None:
            return
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = None
        with contextlib.suppress(FileNotFoundError):
            Path(self._task.seat.path).unlink()

    def _answer(self) -> None:
        assert self._listener is not None  # noqa: S101 - it is what was selected
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(_PATIENCE)
            try:
                self._fork(connection, wire.hear(connection))
            except NotWarm as reason:
                _LOG.info("A run was not started here: %s", reason)
                with contextlib.suppress(NotWarm):
                    wire.say(connection, {"refused": str(reason)})

    def _fork(self, connection: socket.socket, request: dict[str, Any]) -> None:
        if request.get("id") != self._task.seat.id:
            msg = "this is the warm process of another code server"
            raise NotWarm(msg)
        command, argument = str(request["command"]), str(request["argument"])
        self._check_fresh(birth.pointer_in(argument))
        child = _FORK.Process(target=birth.run, args=(connection, self._listener, command, argument))
        child.start()
        assert child.pid is not None  # noqa: S101 - it was started
        self._children[child.sentinel] = (child, argument)
        self._selector.register(child.sentinel, selectors.EVENT_READ)
        made = worker(child.pid)
        wire.say(connection, {"pid": made.pid, "started": made.started, "host": made.host})

    def _check_fresh(self, pointer: str) -> None:
        if pointer != self._task.pointer and not birth.is_own(pointer):
            self._succeed(pointer)
            msg = "the code location was loaded from another module; a process that has it loaded is being started"
            raise NotWarm(msg)
        if self._stamp() != self._loaded:
            self._succeed(self._task.pointer)
            msg = f"{self._read} changed since it was loaded; it is being loaded anew"
            raise NotWarm(msg)

    @property
    def _read(self) -> str:
        return "code" if self._task.pointer is None else "code or YAML"

    def _stamp(self) -> Stamp:
        """Of the project's own definitions, no YAML is read here: runs read it."""
        return stamp(None if self._task.pointer is None else defs_folder())

    def _check_still(self, before: Stamp) -> None:
        """Refuse what changed while it was being loaded: it is not known which half was read."""
        if any(self._loaded.get(name) != found for name, found in before.items()):
            msg = f"{self._read} changed while it was being loaded; reload the code location"
            raise NotWarm(msg)

    def _succeed(self, pointer: str | None) -> None:
        """Leave the seat to a process that loads what is on disk now."""
        self._leave()
        start(replace(self._task, pointer=pointer), lifeline=_LIFELINE)

    def _bury(self, sentinel: int) -> None:
        self._selector.unregister(sentinel)
        child, argument = self._children.pop(sentinel)
        child.join()
        if child.exitcode and argument:
            # telling of it needs connections, which this process must not have
            teller = _FORK.Process(target=birth.tell, args=(argument, child.pid, child.exitcode))
            teller.start()
            self._children[teller.sentinel] = (teller, "")
            self._selector.register(teller.sentinel, selectors.EVENT_READ)


def _check_alone() -> None:
    """A process with threads must not be forked: what they had locked stays locked in the child.

    Raises:
        NotWarm: a module that was imported has started a thread.
    """
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        msg = f"the definitions started {threads - 1} threads while they were imported"
        raise NotWarm(msg)


def main(task: str) -> None:
    """Serve until there is nothing left to do.

    Args:
        task: what :class:`Task` writes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the code server, and so this process
    nursery = Nursery(task_in(task))
    try:
        nursery.serve()
    except NotWarm as reason:
        _LOG.warning("Runs start from new processes: %s", reason)


if __name__ == "__main__":
    main(sys.argv[1])
