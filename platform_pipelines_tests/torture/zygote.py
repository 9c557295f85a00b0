"""A process that has imported everything and forks runs to be killed: so a run costs no start-up.

It is started as a program of its own, because a process with threads (of DuckDB,
of Arrow) cannot be forked safely; this one imports, and does nothing else.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, Self

_THIRD = ("duckdb", "psycopg", "pyarrow.compute", "pyarrow.parquet", "pandas", "rich.progress", "sqlglot", "tenacity")
_POLL = 0.001


class Zygote:
    """The process, from the side of the tests."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "platform_pipelines_tests.torture.zygote"],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def cli(self, folder: Path, *words: str, kill_after: float | None = None, **env: str) -> tuple[int, str]:
        """Run a command of `pipelines` in a folder; its exit code (negative: the signal) and what it printed."""
        out = folder / "out.txt"
        status = self._ask(cli=words, cwd=str(folder), env=env, out=str(out), kill_after=kill_after)
        return status, out.read_text()

    def case(self, root: Path, dsn: str, names: tuple[str, ...], temporary: Path, number: int) -> int:
        """Run a case of the crash matrix, killed at one moment."""
        return self._ask(case=names, root=str(root), dsn=dsn, env={"TMPDIR": str(temporary)}, number=number)

    def _ask(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    """Fork one process for each order; answer with its exit code once it has ended."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(order)
        sys.stdout.write(f"{_wait(child, order.get('kill_after'))}\n")
        sys.stdout.flush()


def _wait(child: int, kill_after: float | None) -> int:
    deadline = time.monotonic() + kill_after if kill_after is not None else None
    while deadline is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(_POLL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be(order: dict[str, Any]) -> NoReturn:
    """Do what was ordered, in the child, and end nearly as a program does.

    Libraries wait at exit for threads that a forked child does not have; so only Python's own duties are done.
    """
    code = 70
    try:
        random.seed()
        os.environ.update(order["env"])
        code = _run_cli(order) if "cli" in order else _run_case(order)
        atexit._run_exitfuncs()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_cli(order: dict[str, Any]) -> int:
    from platform_pipelines.cli.main import main

    descriptor = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(order["cwd"])
    sys.argv = ["pipelines", *order["cli"]]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _run_case(order: dict[str, Any]) -> int:
    from platform_pipelines_tests.torture.cases import Case
    from platform_pipelines_tests.torture.crash import hooked, kill_at

    case = Case(*order["case"])
    site = case.site(Path(order["root"]), order["dsn"])
    with hooked(kill_at(order["number"])):
        for step in case.steps(site):
            step()
    return 0


def _import_everything() -> None:
    import platform_pipelines

    for name in _THIRD:
        importlib.import_module(name)
    left_out = ("definitions", "orchestration", "demo", "testing", "__main__", "defs")
    for module in pkgutil.walk_packages(platform_pipelines.__path__, "platform_pipelines.", onerror=lambda _: None):
        if not any(part in left_out for part in module.name.split(".")):
            importlib.import_module(module.name)
    importlib.import_module("platform_pipelines_tests.torture.cases")
    importlib.import_module("platform_pipelines_tests.torture.site")


if __name__ == "__main__":
    _import_everything()
    serve()
