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
#: seconds that a partition rests at most after runs that failed
_LONGEST_WAIT = 3600
#: for how long failures count, and how many of the newest are looked at
_REMEMBERED = dt.timedelta(hours=2)
_LOOKED_AT = 1_000
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
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
        now = dt.datetime.now(dt.UTC)
        busy = _being_run(context.instance, target)
        resting = _resting(context.instance, target, now) if changed else {}
        wanted = [key for key in changed if key not in busy and key not in resting]
        # a change that is still there after its run ended is asked for again, a minute later at the earliest
        stamp = now.isoformat(timespec="seconds")
        requests = [target.request(f"{stamp}/{key}", key) for key in wanted]
        skip = None if requests else dg.SkipReason(_why_not(changed, busy, resting))
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
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags and _is_own(run, target)}


def _resting(instance: dg.DagsterInstance, target: Target, now: dt.datetime) -> dict[str, dt.datetime]:
    """Partitions whose last runs failed, and when each may be run again: the wait doubles, up to an hour."""
    since = now - _REMEMBERED
    failed = dg.RunsFilter(statuses=_FAILED, updated_after=since)
    ends: dict[str, list[float]] = {}
    for record in instance.get_run_records(filters=failed, limit=_LOOKED_AT):
        run = record.dagster_run
        if PARTITION_TAG in run.tags and _is_own(run, target):
            ends.setdefault(run.tags[PARTITION_TAG], []).append(record.end_time or record.update_timestamp.timestamp())
    waits = {key: min(INTERVAL * 2 ** (len(times) - 1), _LONGEST_WAIT) for key, times in ends.items()}
    until = {key: dt.datetime.fromtimestamp(max(ends[key]) + wait, dt.UTC) for key, wait in waits.items()}
    return {key: moment for key, moment in until.items() if moment > now}


def _is_own(run: dg.DagsterRun, target: Target) -> bool:
    if not run.asset_selection:
        return run.job_name == target.spec.name
    return landing_key(target.spec.name) in run.asset_selection


def _why_not(changed: list[str], busy: set[str], resting: dict[str, dt.datetime]) -> str:
    if not changed:
        return "No partition changed at the source."
    running = ", ".join(key for key in changed if key in busy)
    waiting = ", ".join(f"{key} from {resting[key]:%H:%M} UTC" for key in changed if key in resting and key not in busy)
    reasons = [f"Changed partitions are being run already: {running}."] if running else []
    return " ".join(reasons + ([f"Their last runs failed; they are run again: {waiting}."] if waiting else []))
