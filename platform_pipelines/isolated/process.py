"""One child process: started locked up, given chunks of records, replaced when it dies or has worked long.

What the chunks hold is left to the caller. A child that dies is started anew once
for all chunks, and goes on with the one it died of; CPU time adds up over a process,
so one that has used its share is replaced between two chunks.
"""

from __future__ import annotations

import base64
import contextlib
import signal
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.isolated import child_boot, syscalls, wire
from platform_pipelines.isolated.limits import ALLOW_UNGUARDED, CPU_SECONDS, MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from platform_pipelines.isolated.language import Program
    from platform_pipelines.isolated.limits import Limits

    Answer = tuple[dict[str, Any], list[bytes]]

#: bytes of an answer's header at most: read as JSON, it becomes many times as large
_HEADER = 4 << 20
#: chunks that are under way while the answer to an earlier one is awaited
AHEAD = 1
#: the kernel's limit, in shares of CPU time: the chunk that ends the first share and those under way behind it
_SHARES = AHEAD + 2
#: wall-clock seconds for each CPU second, after which a child that does not answer is killed
_WALL = 30
#: seconds for a child that closed its output to be gone
_GRACE = 1.0
_CAUSES = {
    -signal.SIGXCPU: "it used more CPU time than allowed ({cpu} s; setting {cpu_setting})",
    -signal.SIGKILL: (
        "it was killed: it used more CPU time than allowed ({cpu} s; setting {cpu_setting}), or the system ran out of "
        "memory"
    ),
    -signal.SIGSEGV: (
        "it crashed, which endless recursion and too little memory ({memory} bytes; setting {memory_setting}) do"
    ),
}


class Sandbox:
    """A child for one program. Use as a context manager.

    Args:
        program: what it runs.
        limits: what it may use.
    """

    def __init__(self, program: Program, limits: Limits) -> None:
        self._program = program
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._used = 0.0
        self._ended = 0
        self._late = False
        self._died_before = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._writer.shutdown()

    def answers(self, chunks: Iterable[tuple[dict[str, Any], list[bytes]]]) -> Iterator[Answer]:
        """The child's answer to each chunk, in order; the next chunk is made while the child works.

        Raises:
            SpecError: a guard is missing that no setting allows to be missing.
            InvalidData: the child died twice.
        """
        waiting: deque[bytes] = deque()
        for header, buffers in chunks:
            waiting.append(wire.pack(header, buffers))
            self._post([waiting[-1]])
            while len(waiting) > AHEAD or (waiting and self._used > self._limits.cpu_seconds):
                yield self._answer(waiting)
        while waiting:
            yield self._answer(waiting)

    def _answer(self, waiting: deque[bytes]) -> Answer:
        answer = self._survived(waiting)
        waiting.popleft()
        used = answer[0].get("cpu_seconds")
        self._used = used if isinstance(used, int | float) else self._limits.cpu_seconds + 1.0
        if self._used > self._limits.cpu_seconds and not waiting:
            self._stop()
        return answer

    def _survived(self, waiting: deque[bytes]) -> Answer:
        """The answer to the first chunk that waits, if need be of a second child."""
        while True:
            try:
                return self._read()
            except wire.Broken as error:
                if self._died_before:
                    msg = f"the process that runs the text died twice over one batch: {self._died(error)}."
                    raise InvalidData(msg) from error
                self._died_before = True
                self._stop(_GRACE)
                self._post(waiting)

    def _post(self, frames: Iterable[bytes]) -> None:
        """Send frames without waiting: the child may be busy writing its answer to an earlier one."""
        process = self._process or self._start()
        for frame in frames:
            self._writer.submit(_write, process, frame)

    def _start(self) -> subprocess.Popen[bytes]:
        limits = self._limits
        command = [sys.executable, "-I", "-S", str(Path(child_boot.__file__))]
        pipe = subprocess.PIPE
        process = subprocess.Popen(  # noqa: S603 - our own file; its pipes stay open as long as the process runs
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env={}, cwd="/", start_new_session=True
        )
        self._process, self._used, self._late = process, 0.0, False
        header = {
            "modules": self._program.modules,
            "cpu_seconds": limits.cpu_seconds * _SHARES,
            "memory_bytes": limits.memory_bytes,
            "filter": base64.b64encode(syscalls.program()).decode(),
            "limit": sys.maxsize,
        }
        self._writer.submit(_write, process, wire.pack(header, [self._program.code]))
        self._check_guards(self._read()[0].get("missing"))
        return process

    def _check_guards(self, missing: Any) -> None:  # noqa: ANN401 - what the child says
        lacking = {name: why for name, why in dict(missing).items() if name not in self._limits.unguarded}
        if lacking:
            self._stop()
            named = "; ".join(f"`{name}` ({why})" for name, why in lacking.items())
            msg = (
                f"this host cannot lock up the process that runs the text; it lacks {named}. Run it on Linux with "
                f"libseccomp installed, or, if you trust the text, set {ALLOW_UNGUARDED}={','.join(lacking)}."
            )
            raise SpecError(msg)

    def _read(self) -> Answer:
        process = self._process
        if process is None or process.stdout is None:
            msg = "it is not running"
            raise wire.Broken(msg)
        alarm = threading.Timer(self._limits.cpu_seconds * _WALL, self._too_late, [process])
        alarm.start()
        try:
            answer = wire.read(process.stdout.fileno(), self._limits.memory_bytes // 2, _HEADER)
        finally:
            alarm.cancel()
        if "fatal" in answer[0]:
            msg = f"it said: {answer[0]['fatal']}"
            raise wire.Broken(msg)
        return answer

    def _too_late(self, process: subprocess.Popen[bytes]) -> None:
        self._late = True
        process.kill()

    def _stop(self, grace: float = 0.0) -> None:
        """End the child; one that is dying by itself gets ``grace`` seconds, so that its cause is known."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        process.kill()
        self._ended = process.wait()
        # A frame still on its way would go to whatever the descriptor's number names next: the new child's pipe.
        self._writer.submit(int).result()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def _died(self, error: wire.Broken) -> str:
        self._stop(_GRACE)
        cause = _CAUSES.get(self._ended, "") if isinstance(error, wire.Ended) else ""
        limits = self._limits
        if self._late:
            cause = f"it did not answer within {limits.cpu_seconds * _WALL} s"
        return cause.format(
            cpu=limits.cpu_seconds, cpu_setting=CPU_SECONDS, memory=limits.memory_bytes, memory_setting=MEMORY
        ) or str(error)


def _write(process: subprocess.Popen[bytes], frame: bytes) -> None:
    """Write to a child; if it is gone, the reader says so."""
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            wire.write(process.stdin.fileno(), frame)
