"""Schedules with a zone, running from the moment they are deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from platform_pipelines.orchestration.jobs import Target
    from platform_pipelines.spec import PipelineSpec


def pipeline_schedule(target: Target) -> dg.ScheduleDefinition | None:
    """The schedule of a pipeline; None if it declares none.

    By time, a tick asks for the newest partition and the ``lookback`` ones before
    it; by value for all; otherwise for one run. Who writes a schedule expects it
    to run, so it starts as running; it can be stopped in the UI.
    """
    spec = target.spec
    schedule = spec.schedule
    if schedule is None:
        return None

    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        tick = context.scheduled_execution_time
        # the run key is the tick's, so that a tick which is evaluated again launches nothing twice
        stamp = tick.isoformat()
        keys = due_partitions(spec, tick)
        if keys is None:
            yield target.request(stamp)
        for key in keys or ():
            yield target.request(f"{stamp}/{key}", key)

    return dg.ScheduleDefinition(
        name=f"{spec.name}_schedule",
        job_name=target.job_name,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        execution_fn=evaluate,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs `{spec.name}` at {schedule.cron} ({schedule.timezone}).",
    )


def due_partitions(spec: PipelineSpec, now: dt.datetime) -> list[str] | None:
    """The partitions a scheduled run covers at ``now``; None for a pipeline without partitions."""
    if spec.time_partitions is not None:
        return spec.time_partitions.recent(now)
    return None if spec.partitions is None else spec.partitions.keys(now)
