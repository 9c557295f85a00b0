"""The warm process of a code server: started beside it, with its environment, and ended with it.

It is the code server that starts it, by importing the definitions: only there
are the code, the environment and the secrets that runs inherit.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.orchestration.launcher.errors import NotWarm
from platform_pipelines.orchestration.launcher.seat import Seat, free_seat

if TYPE_CHECKING:
    from collections.abc import Sequence

LAUNCHER = "WarmRunLauncher"
_PROCESS = "platform_pipelines.orchestration.launcher.nursery"
_INSTANCE = "--instance-ref"
#: kept, for the warm process ends when the other end of its pipe is closed
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Task:
    """What a warm process is for.

    Attributes:
        seat: where it listens.
        instance: the reference of Dagster's instance, as Dagster writes it down; None for that of ``DAGSTER_HOME``.
        pointer: where the definitions are, as Dagster writes it down; None for this project's own.
    """

    seat: Seat
    instance: str | None = None
    pointer: str | None = None

    @property
    def text(self) -> str:
        """The task as an argument of a command."""
        return json.dumps(asdict(self))


def task_in(text: str) -> Task:
    """The task in an argument of a command."""
    found = json.loads(text)
    return Task(**(found | {"seat": Seat(**found["seat"])}))


@dataclass(frozen=True)
class Offer:
    """What a code server has for launchers.

    Attributes:
        task: of its warm process; None where there is to be none.
    """

    task: Task | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """What the definitions tell launchers."""
        return {} if self.task is None else self.task.seat.metadata

    def start(self) -> None:
        """Start the process, which loads the definitions once more by itself."""
        if self.task is not None:
            _started.append(start(self.task))


def offer() -> Offer:
    """The offer of this process: none, unless it is a code server whose instance has our launcher."""
    instance = _instance(sys.argv)
    if sys.platform != "linux" or not _serves(sys.argv) or not _wanted(instance):
        return Offer()
    try:
        return Offer(Task(free_seat(), instance))
    except NotWarm as reason:
        logging.getLogger(__name__).warning("Runs start from new processes: %s", reason)
        return Offer()


def start(task: Task, *, lifeline: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start a warm process.

    Args:
        task: what it is for.
        lifeline: it ends when nobody holds the other end of this file any more.
    """
    command = [sys.executable, "-m", _PROCESS, task.text]
    return subprocess.Popen(command, stdin=lifeline)  # noqa: S603 - our own module


def _serves(argv: Sequence[str]) -> bool:
    # processes that multiprocessing spawned, such as runs of Dagster's own launcher, have their parent's arguments
    return argv[1:3] == ["api", "grpc"] and multiprocessing.parent_process() is None


def _instance(argv: Sequence[str]) -> str | None:
    return argv[argv.index(_INSTANCE) + 1] if _INSTANCE in argv[:-1] else None


def _wanted(instance: str | None) -> bool:
    """Whether the instance has our launcher, by the reference that the server was given or by ``dagster.yaml``."""
    if instance is not None:
        return LAUNCHER in instance
    home = os.environ.get("DAGSTER_HOME")
    file = Path(home) / "dagster.yaml" if home else None
    return file is not None and file.is_file() and LAUNCHER in file.read_text(encoding="utf-8")
