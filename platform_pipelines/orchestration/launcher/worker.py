"""The process of one run, known again later by whoever may look at it or end it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: the tag of a run that holds its process; tags that begin so are not shown in the UI
TAG = ".dagster/pipelines_process"
#: the tag of a run whose process died before it began
NOBODY = {TAG: ""}
#: where in /proc/PID/stat, behind the name, the start of the process is told, in ticks since the machine's
_STARTED = 19
_STATE = 0


@dataclass(frozen=True)
class Worker:
    """A process; its number alone would not do, for numbers are given again.

    Attributes:
        pid: its number.
        started: when it began, in clock ticks since the machine was started.
        host: the machine, this start of it, and the space in which numbers of processes count.
    """

    pid: int
    started: int
    host: str

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its run."""
        return {TAG: json.dumps(asdict(self))}

    @property
    def here(self) -> bool:
        """Whether this process could see it."""
        return self.host == this_host()

    @property
    def alive(self) -> bool:
        """Whether it is still there, as far as this machine knows."""
        return _started(self.pid) == self.started

    @property
    def ours(self) -> bool:
        """Whether this process may send it signals: another user may have begun it by hand."""
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return False
        except ProcessLookupError:
            pass
        return True


def worker_of(tags: Mapping[str, str]) -> Worker | None:
    """The process in the tags of a run; None for a run that was started in another way."""
    text = tags.get(TAG)
    return worker_in(json.loads(text)) if text else None


def worker_in(answer: Mapping[str, Any]) -> Worker:
    """The process that a message tells of."""
    return Worker(pid=int(answer["pid"]), started=int(answer["started"]), host=str(answer["host"]))


def worker(pid: int) -> Worker:
    """A process that is there now.

    Raises:
        ProcessLookupError: it is not.
    """
    started = _started(pid)
    if started is None:
        msg = f"There is no process {pid}."
        raise ProcessLookupError(msg)
    return Worker(pid, started, this_host())


def this_host() -> str:
    """This machine, since it was last started, and the container if there is one."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[_STATE] in {"Z", "X"} else int(fields[_STARTED])
