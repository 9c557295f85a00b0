"""Sensors of the quality section: runs for batches that were decided on, alerts about dead letters."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration.failures import masked
from platform_pipelines.orchestration.naming import validated_key
from platform_pipelines.orchestration.quality_checks import dead_letters_result
from platform_pipelines.spec.qualitychecks import DEAD_LETTERS

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines.orchestration.jobs import Target

#: seconds between two looks at the landing log
INTERVAL = 60


def quality_sensors(project: Project, target: Target) -> list[dg.SensorDefinition]:
    """The sensors that a pipeline's quality section asks for."""
    quality = target.spec.quality
    found = [_approvals(project, target)] if quality.approval is not None else []
    return found + ([_alerts(project, target)] if quality.alert is not None else [])


def _approvals(project: Project, target: Target) -> dg.SensorDefinition:
    spec = target.spec

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        del context
        from platform_pipelines.engine import decided, waiting

        with masked():
            found, held = decided(project, spec.name), waiting(project, spec.name)
        # a run that could not act on it, because a system was down, is followed by another one an hour later
        hour = dt.datetime.now(dt.UTC).isoformat(timespec="hours")
        requests = [
            target.request(f"{each.partition or 'all'}/{each.epoch}/{each.sequence}/{hour}", each.partition)
            for each in found
        ]
        reason = f"{len(held)} batches wait for approval." if held else "No batch waits for approval."
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else dg.SkipReason(reason))

    return dg.SensorDefinition(
        name=f"{spec.name}_approvals",
        job_name=target.job_name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Runs `{spec.name}` once a batch held for its score was approved, or its deadline has passed.",
    )


def _alerts(project: Project, target: Target) -> dg.SensorDefinition:
    spec = target.spec

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with masked():
            result = dead_letters_result(project, spec)
        now = "passed" if result.passed else "failed"
        if now == (context.cursor or "passed"):
            return dg.SensorResult(skip_reason=dg.SkipReason(result.description or ""), cursor=now)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=validated_key(spec.name),
            check_name=DEAD_LETTERS,
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
        )
        return dg.SensorResult(asset_events=[evaluation], cursor=now)

    return dg.SensorDefinition(
        name=f"{spec.name}_dead_letters",
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Fails the check `{DEAD_LETTERS}` of `{spec.name}` while dead letters are too many.",
    )
