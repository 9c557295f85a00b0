"""Sensors that ask a source which partitions changed since their watermark, and run just those."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration.failures import masked
from platform_pipelines.orchestration.naming import PARTITION_TAG, landing_key

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines.orchestration.jobs import Target

#: seconds between two questions to a source
INTERVAL = 60
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def change_sensor(project: Project, target: Target) -> dg.SensorDefinition | None:
    """The sensor of a pipeline; None unless it declares ``partitions.detect_changes``."""
    spec = target.spec
    if spec.partitions is None or not spec.partitions.detect_changes:
        return None

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from platform_pipelines.engine import changed_partitions

        with masked():
            changed = changed_partitions(project, spec.name)
        busy = _being_run(context.instance, target)
        wanted = [key for key in changed if key not in busy]
        # a change that is still there after its run ended is asked for again, a minute later at the earliest
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        requests = [target.request(f"{stamp}/{key}", key) for key in wanted]
        skip = None if requests else dg.SkipReason(_why_not(changed, busy))
        return dg.SensorResult(run_requests=requests, skip_reason=skip)

    return dg.SensorDefinition(
        name=f"{spec.name}_changes",
        job_name=target.job_name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks the source of `{spec.name}` which partitions changed, and runs those.",
    )


def _being_run(instance: dg.DagsterInstance, target: Target) -> set[str]:
    """Partitions of the pipeline with a run that has not ended, whoever launched it."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))
    landing = landing_key(target.spec.name)
    own = [
        run
        for run in runs
        if (run.job_name == target.spec.name if run.asset_selection is None else landing in run.asset_selection)
    ]
    return {run.tags[PARTITION_TAG] for run in own if PARTITION_TAG in run.tags}


def _why_not(changed: list[str], busy: set[str]) -> str:
    if not changed:
        return "No partition changed at the source."
    return f"Changed partitions are being run already: {', '.join(key for key in changed if key in busy)}."
