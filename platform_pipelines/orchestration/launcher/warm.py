"""The run launcher: asks the code server's warm process for a process, else launches as Dagster does.

It runs in the daemon and the web server, which load neither pipelines nor their
environment. How runs are executed is left to the process that it asks for.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import serialize_value

from platform_pipelines.orchestration.launcher import wire
from platform_pipelines.orchestration.launcher.errors import NotWarm
from platform_pipelines.orchestration.launcher.seat import METADATA, Seat, seat_in
from platform_pipelines.orchestration.launcher.worker import NOBODY, worker_in, worker_of

if TYPE_CHECKING:
    from dagster._core.launcher.base import LaunchRunContext, ResumeRunContext
    from dagster._core.workspace.context import BaseWorkspaceRequestContext

#: seconds that a warm process may take to answer: it looks at every YAML file and forks
_PATIENCE = 10.0


class WarmRunLauncher(dg.DefaultRunLauncher):
    """Starts runs from a process that has everything imported; see docs/how-to/start-runs-fast.md."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run; where no warm process will, as Dagster's default launcher does."""
        try:
            self._start("execute_run", context.dagster_run, context.workspace)
        except NotWarm as reason:
            self._instance.report_engine_event(
                f"This run starts from a new process: {reason}.", context.dagster_run, cls=type(self)
            )
            super().launch_run(context)

    @property
    def supports_resume_run(self) -> bool:
        """Yes, as often as ``run_monitoring.max_resume_run_attempts`` says."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Go on with a run whose process is gone.

        Raises:
            NotWarm: there is no warm process; Dagster then marks the run as failed.
        """
        self._start("resume_run", context.dagster_run, context.workspace)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes, for runs that were forked on this machine."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run is there; of one that is not to be seen from here, nothing bad is said."""
        worker = worker_of(run.tags)
        if worker is None or not worker.here:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Its process cannot be seen from here.")
        if worker.alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(worker.pid))
        text = f"Process {worker.pid} of this run is gone."
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, text, run_worker_id=str(worker.pid))

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; it ends between two of its steps' events, with nothing half done."""
        run = self._instance.get_run_by_id(run_id)
        worker = None if run is None else worker_of(run.tags)
        if run is None or worker is None or not worker.here or not worker.ours:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        if run.is_finished or not worker.alive:
            return False
        self._instance.report_run_canceling(run)
        os.kill(worker.pid, signal.SIGINT)
        return True

    def _start(self, command: str, run: dg.DagsterRun, workspace: BaseWorkspaceRequestContext | None) -> None:
        seat = _seat(run, workspace)
        with wire.connect(seat.path, _PATIENCE) as connection:
            wire.say(connection, {"id": seat.id, "command": command, "argument": self._argument(command, run)})
            answer = wire.hear(connection)
            if "refused" in answer:
                raise NotWarm(answer["refused"])
            self._instance.add_run_tags(run.run_id, worker_in(answer).tags)
            try:
                wire.say(connection, {"go": True})
            except NotWarm:
                self._instance.add_run_tags(run.run_id, NOBODY)
                raise

    def _argument(self, command: str, run: dg.DagsterRun) -> str:
        kind = ExecuteRunArgs if command == "execute_run" else ResumeRunArgs
        if run.job_code_origin is None:
            msg = "it does not say where its code is"
            raise NotWarm(msg)
        return serialize_value(kind(run.job_code_origin, run.run_id, self._instance.get_ref()))


def _seat(run: dg.DagsterRun, workspace: BaseWorkspaceRequestContext | None) -> Seat:
    """Where the warm process of the code server that a run's job comes from listens."""
    origin = run.remote_job_origin
    if origin is None or workspace is None:
        msg = "it belongs to no code location"
        raise NotWarm(msg)
    location = workspace.get_code_location(origin.repository_origin.code_location_origin.location_name)
    snapshot = location.get_repository(origin.repository_origin.repository_name).repository_snap
    found = (snapshot.metadata or {}).get(METADATA)
    if found is None:
        msg = "its code server has no warm process; give it the same dagster.yaml as the daemon"
        raise NotWarm(msg)
    return seat_in(str(found.value))
