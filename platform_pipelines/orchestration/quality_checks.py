"""Asset checks beside those of single rules before a load: score, dead letters, reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from platform_pipelines.engine.report import Loaded, Validated
from platform_pipelines.orchestration.checks import describe_rule, rule_result
from platform_pipelines.spec.qualitychecks import DEAD_LETTERS, SCORE
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.engine import Project
    from platform_pipelines.orchestration.stages import Outcome
    from platform_pipelines.spec import PipelineSpec


def quality_checks(spec: PipelineSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of the validated rows that come with ``approval`` and ``alert``."""
    found = []
    approval, alert = spec.quality.approval, spec.quality.alert
    if approval is not None:
        text = f"The quality score is at least {approval.min_score:g}; below, a person is asked."
        found.append(dg.AssetCheckSpec(SCORE, asset=asset, description=text))
    if alert is not None:
        text = f"At most {alert.max_dead_letters:,} dead letters in {_span(alert.window)}."
        found.append(dg.AssetCheckSpec(DEAD_LETTERS, asset=asset, description=text))
    return found


def quality_results(project: Project, spec: PipelineSpec, outcomes: Sequence[Outcome]) -> Iterator[dg.AssetCheckResult]:
    """The results of :func:`quality_checks` behind a validation."""
    if spec.quality.approval is not None:
        yield _score(spec.quality.approval.min_score, outcomes)
    if spec.quality.alert is not None:
        yield dead_letters_result(project, spec)


def dead_letters_result(project: Project, spec: PipelineSpec) -> dg.AssetCheckResult:
    """Whether dead letters were too many lately."""
    from platform_pipelines.engine import recent_dead_letters

    alert = spec.quality.alert
    assert alert is not None  # noqa: S101 - there is no such check otherwise
    found = recent_dead_letters(project, spec.name)
    text = f"{found:,} dead letters in {_span(alert.window)}; at most {alert.max_dead_letters:,} are expected."
    return dg.AssetCheckResult(
        check_name=DEAD_LETTERS,
        passed=found <= alert.max_dead_letters,
        severity=dg.AssetCheckSeverity.ERROR if alert.severity == "error" else dg.AssetCheckSeverity.WARN,
        metadata={"dead_letters": found, "max_dead_letters": alert.max_dead_letters},
        description=text,
    )


def reconciliation_checks(spec: PipelineSpec, destination: str, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check for each rule that compares a destination with the source."""
    rules = spec.quality.at_destination(destination)
    return [dg.AssetCheckSpec(rule.id, asset=asset, description=describe_rule(rule)) for rule in rules]


def reconciliation_results(
    spec: PipelineSpec, destination: str, outcomes: Sequence[Outcome]
) -> Iterator[dg.AssetCheckResult]:
    """The results of :func:`reconciliation_checks` over all feeds that were loaded."""
    loads = [(o.feed.partition, o.report) for o in outcomes if isinstance(o.report, Loaded)]
    for rule in spec.quality.at_destination(destination) if loads else ():
        found = [(partition, each) for partition, load in loads for each in load.reconciled if each.id == rule.id]
        yield rule_result(rule.id, rule.severity, found)


def _score(minimum: float, outcomes: Sequence[Outcome]) -> dg.AssetCheckResult:
    judged = [o.report for o in outcomes if isinstance(o.report, Validated) and o.report.batches]
    low = [report for report in judged if report.score < minimum]
    metadata: dict[str, Any] = {"min_score": float(minimum)}
    if judged:
        metadata["score"] = float(min(report.score for report in judged))
    names = [report.feed.partition for report in low if report.feed.partition is not None]
    if names:
        metadata["failed_partitions"] = dg.MetadataValue.json(names)
    held = " ".join(dict.fromkeys(report.held for report in low if report.held))
    return dg.AssetCheckResult(
        check_name=SCORE,
        passed=not low,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
        description=mask(held) or (None if judged else "Nothing new to check."),
    )


def _span(seconds: float) -> str:
    """``the last hour``, ``the last 90 s``."""
    units = {604_800.0: "week", 86_400.0: "day", 3_600.0: "hour", 60.0: "minute"}
    return f"the last {units.get(seconds, f'{seconds:g} s')}"
