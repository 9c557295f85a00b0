"""Dagster's web server on the packaged pipelines, or on others, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.demo.data import prepare
from platform_pipelines_tests.demo.running import environment
from platform_pipelines_tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 90.0
#: runs start at once: no daemon is there to take them out of a queue
_SETTINGS = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""


@contextlib.contextmanager
def webserver(folder: Path) -> Iterator[str]:
    """Serve the packaged pipelines with the demo's data in ``folder``; yields the address."""
    prepare(folder)
    with served(folder, environment(folder)) as address:
        yield address


@contextlib.contextmanager
def served(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """Serve the pipelines that the variables of the environment name, from ``folder``; yields the address."""
    home = dagster_home(folder)
    port = free_port()
    program = Path(sys.executable).with_name("dagster-webserver")
    with (folder / "webserver.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-m", "platform_pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=variables | {"DAGSTER_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, address, folder / "webserver.log")
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # runs and code servers that it left behind
        process.wait()


def dagster_home(folder: Path) -> Path:
    """Dagster's own folder in ``folder``, made if it is not there."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(_SETTINGS)
    return home


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/server_info"):  # noqa: S310 - our own address
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
