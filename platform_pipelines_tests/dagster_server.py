"""``dagster dev`` with our settings in a folder of its own, and what its UI would ask it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_pipelines_tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_WAIT = 180.0
_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_TERMINATE = """mutation End($id: String!) { terminateRun(runId: $id) {
    __typename ... on TerminateRunFailure { message } } }"""
_REEXECUTE = """mutation Again($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_RELOAD = (
    """mutation Reload($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"""
)
_WIPE = """mutation Wipe($ranges: [PartitionsByAssetSelector!]!) { wipeAssets(assetPartitionRanges: $ranges) {
    __typename } }"""
_RUN = """query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status
    eventConnection(limit: 1000) { events { __typename ... on MessageEvent { timestamp message } } } } } }"""
_LOADED = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
    ... on RepositoryLocation { name repositories { name } } ... on PythonError { message } } } } } }"""


@dataclass(frozen=True)
class Run:
    """What the UI shows of a run: its status, and its events as kind, seconds since 1970 and message."""

    id: str
    status: str
    events: list[tuple[str, float, str]]

    def messages(self, kind: str) -> list[str]:
        return [message for found, _, message in self.events if found == kind]


@dataclass(frozen=True)
class Server:
    """A web server with its daemon and code server.

    Attributes:
        address: of the web server.
        log: what all of them print.
    """

    address: str
    log: Path

    def launch(self, *assets: tuple[str, ...]) -> str:
        """Ask for what *Materialize* in the UI asks for; the run's id."""
        (entry,) = self._entries()
        selector = {
            "repositoryLocationName": entry["name"],
            "repositoryName": entry["repositories"][0]["name"],
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": list(path)} for path in assets],
        }
        params = {"selector": selector, "mode": "default", "runConfigData": {}}
        found = self.ask(_LAUNCH, {"params": params})["launchPipelineExecution"]
        return str(found["run"]["runId"])

    def terminate(self, run: str) -> str:
        """Ask for what *Terminate* asks for; what was answered."""
        return str(self.ask(_TERMINATE, {"id": run})["terminateRun"]["__typename"])

    def reexecute(self, run: str, strategy: str) -> str:
        """Ask for what *Re-execute* asks for; the run's id, or why there is none."""
        params = {"parentRunId": run, "strategy": strategy}
        found = self.ask(_REEXECUTE, {"params": params})["launchRunReexecution"]
        return str(found["run"]["runId"] if "run" in found else found["message"])

    def reload(self) -> None:
        """Load the code location anew."""
        (entry,) = self._entries()
        self.ask(_RELOAD, {"name": entry["name"]})

    def wipe(self, *assets: tuple[str, ...]) -> str:
        """Ask for what *Wipe materializations* asks for; what was answered."""
        ranges = [{"assetKey": {"path": list(path)}} for path in assets]
        return str(self.ask(_WIPE, {"ranges": ranges})["wipeAssets"]["__typename"])

    def run(self, run: str) -> Run:
        found = self.ask(_RUN, {"id": run})["runOrError"]
        events = [
            (each["__typename"], float(each["timestamp"]) / 1_000, each["message"])
            for each in found["eventConnection"]["events"]
        ]
        return Run(run, found["status"], events)

    def until(self, run: str, done: Callable[[Run], bool] = lambda run: run.status in ENDED) -> Run:
        """The run as soon as ``done`` says so; by default once it has ended."""
        deadline = time.monotonic() + _WAIT
        while True:
            found = self.run(run)
            if done(found):
                return found
            assert time.monotonic() < deadline, f"{found}\n{self.log.read_text()}"
            time.sleep(0.2)

    def loaded(self) -> bool:
        try:
            return any(each.get("repositories") for each in self._entries())
        except OSError:
            return False

    def ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/graphql", body, headers)  # noqa: S310 - our own address
        try:
            with urllib.request.urlopen(request, timeout=_WAIT) as reply:  # noqa: S310 - see above
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            answer = json.load(error)  # Dagster answers so where it raised; the body says what
        assert not answer.get("errors"), answer
        return answer["data"]

    def _entries(self) -> list[dict[str, Any]]:
        entries = self.ask(_LOADED, {})["workspaceOrError"]["locationEntries"]
        return [each["locationOrLoadError"] for each in entries if each["locationOrLoadError"]]


@contextlib.contextmanager
def dagster_dev(folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """``dagster dev`` in ``folder``, as soon as the code location is loaded."""
    port = free_port()
    program = Path(sys.executable).with_name("dagster")
    command = [program, "dev", "-m", "platform_pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)]
    server = Server(f"http://127.0.0.1:{port}", folder / "dagster.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | dict(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _WAIT
        while not server.loaded():
            assert process.poll() is None, server.log.read_text()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.3)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever of it is still there
        process.wait()
