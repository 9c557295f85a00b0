"""The steps of a run one after the other in its own process, which can be seen and ended from elsewhere.

Dagster's in-process executor hears of a cancellation only where a step begins. While
it waits for the slot of a pool, or until a step is due again, it does not: the run
shows as being cancelled for minutes, and its process lives until the slot is free,
with a core to itself.
Nor does Dagster know the process of a run that was begun by ``dagster asset
materialize``: where that one was killed, its run would hold its slot for ever. So the
waiting looks for interrupts here, and the process writes itself down in its run.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from dagster import DagsterExecutionInterruptedError
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.in_process import InProcessExecutor
from dagster._utils.interrupts import pop_captured_interrupt

from platform_pipelines.orchestration.launcher.worker import worker, worker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterEvent

#: seconds between two looks for an interrupt
_LOOK = 0.2


class OwnProcessExecutor(InProcessExecutor):
    """Dagster's in-process executor, and what the module says."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the steps; the events as they happen."""
        _write_down(plan_context)
        plan = _Plan(*execution_plan)
        context = PlanOrchestrationContext(
            plan_data=plan_context.plan_data._replace(execution_plan=plan),
            log_manager=plan_context.log,
            executor=plan_context.executor,
            output_capture=plan_context.output_capture,
            resume_from_failure=plan_context.resume_from_failure,
        )
        return super().execute(context, plan)


class _Plan(ExecutionPlan):
    """A plan whose execution can be ended while it waits."""

    def start(self, *arguments: Any, **named: Any) -> ActiveExecution:  # noqa: ANN401 - handed on as they are
        """What Dagster's own plan starts, but for how it waits."""
        return _Waiting(self, *arguments, **named)


class _Waiting(ActiveExecution):
    """Looks for interrupts while it waits."""

    def sleep_til_ready(self) -> None:
        """Wait until a step may be executed, or it is time to ask for a slot again.

        Raises:
            DagsterExecutionInterruptedError: the run is to end.
        """
        # Dagster 1.13 takes 0 for the time until a slot is asked for again, and so keeps a core busy
        slots = self._instance_concurrency_context
        least = _LOOK if slots is not None and slots.has_pending_claims() else 0.0
        until = time.monotonic() + max(self.sleep_interval(), least)  # type: ignore[no-untyped-call]
        while (left := until - time.monotonic()) > 0:
            if pop_captured_interrupt():
                raise DagsterExecutionInterruptedError
            time.sleep(min(left, _LOOK))


def _write_down(context: PlanOrchestrationContext) -> None:
    """Note this process in the run, unless the launcher did; on Linux, where processes can be told apart."""
    with contextlib.suppress(OSError):
        own = worker(os.getpid())
        if worker_of(context.dagster_run.tags) != own:
            context.instance.add_run_tags(context.run_id, own.tags)
