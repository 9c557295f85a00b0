"""Quality rules as asset checks, and the accounting of each destination.

A check records what a rule found. It never stops anything: that is the gate's
work, which closes before rows are loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from platform_pipelines.engine.report import Loaded, Validated
from platform_pipelines.orchestration.metadata import table
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.orchestration.stages import Outcome, Report
    from platform_pipelines.outcomes import RuleOutcome
    from platform_pipelines.spec import PipelineSpec, RuleSpec

ACCOUNTING = "accounting"
SCHEMA = "schema"
#: types of the outcomes of a pandera schema's checks, one each
_SCHEMA_TYPES = frozenset({"schema", "schema_batch"})
#: sentences in a check's description at most
_DETAILS = 5
_SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR}


def rule_checks(spec: PipelineSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per rule, named by its id, and one for the pandera schema if there is one.

    They are not partitioned: a run for a range of partitions records one result
    over all of them and names those that failed.
    """
    specs = [
        dg.AssetCheckSpec(rule.id, asset=asset, description=describe_rule(rule)) for rule in spec.quality.before_load
    ]
    if spec.quality.schema_path is not None:
        text = f"pandera schema {spec.quality.schema_path}"
        specs.append(dg.AssetCheckSpec(_schema_check(spec), asset=asset, description=text))
    return specs


def accounting_check(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Rows read = loaded + rejected + filtered + deduplicated, counted at the destination."""
    text = "Rows read = loaded + rejected + filtered + deduplicated, counted by the destination."
    return dg.AssetCheckSpec(ACCOUNTING, asset=asset, description=text)


def rule_results(spec: PipelineSpec, outcomes: Sequence[Outcome]) -> Iterator[dg.AssetCheckResult]:
    """The result of every check of :func:`rule_checks`, over all feeds that were judged."""
    judged = [(o.feed.partition, o.report) for o in outcomes if isinstance(o.report, Validated)]
    if not judged:
        return
    found = [(partition, rule) for partition, report in judged for rule in report.rules]
    for rule in spec.quality.before_load:
        yield rule_result(rule.id, rule.severity, [(p, f) for p, f in found if f.id == rule.id])
    if spec.quality.schema_path is not None:
        yield rule_result(_schema_check(spec), None, [(p, f) for p, f in found if f.type in _SCHEMA_TYPES])


def accounting_result(outcomes: Sequence[Outcome]) -> dg.AssetCheckResult | None:
    """Whether all rows are accounted for; None if nothing was loaded."""
    loads = [outcome.report for outcome in outcomes if isinstance(outcome.report, Loaded)]
    if not loads:
        return None
    counts = {
        "read": sum(load.read for load in loads),
        "loaded": sum(load.rows for load in loads),
        "rejected": sum(load.rejected for load in loads),
        "filtered": sum(load.filtered for load in loads),
        "deduplicated": sum(load.deduplicated + load.landed_twice for load in loads),
    }
    return dg.AssetCheckResult(
        check_name=ACCOUNTING, passed=all(load.accounted for load in loads), metadata={**counts, **_partitions(loads)}
    )


def rule_result(
    name: str, severity: str | None, found: Sequence[tuple[str | None, RuleOutcome]]
) -> dg.AssetCheckResult:
    """The result of a rule's check over the feeds of a run: ``found`` are the outcomes and their partitions."""
    failed = [(partition, outcome) for partition, outcome in found if not outcome.passed]
    worst = severity or ("error" if any(o.severity == "error" for _, o in failed or found) else "warning")
    metadata: dict[str, Any] = {
        "failed": sum(outcome.failed for _, outcome in found),
        "checked": sum(outcome.checked for _, outcome in found),
    }
    sample = table(row for _, outcome in failed for row in outcome.sample)
    if sample is not None:
        metadata["sample"] = sample
    names = [partition for partition, _ in failed if partition is not None]
    if names:
        metadata["failed_partitions"] = dg.MetadataValue.json(list(dict.fromkeys(names)))
    detail = _detail(failed or found)
    if detail:
        metadata["detail"] = dg.MetadataValue.text(detail)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=_SEVERITIES.get(worst, dg.AssetCheckSeverity.WARN),
        metadata=metadata,
        description=detail or (None if found else "Nothing new to check."),
    )


def _detail(found: Sequence[tuple[str | None, RuleOutcome]]) -> str:
    """What the outcomes say, each once and behind its partition, the first few of many."""
    texts = [outcome.detail if p is None else f"{p}: {outcome.detail}" for p, outcome in found if outcome.detail]
    texts = list(dict.fromkeys(texts))
    more = [f"… and {len(texts) - _DETAILS} more."] if len(texts) > _DETAILS else []
    return mask(" ".join([*texts[:_DETAILS], *more]))


def _partitions(reports: Sequence[Report]) -> dict[str, Any]:
    names = [report.feed.partition for report in reports if report.feed.partition is not None]
    return {"partitions": len(names)} if names else {}


def _schema_check(spec: PipelineSpec) -> str:
    return SCHEMA if all(rule.id != SCHEMA for rule in spec.quality.rules) else "pandera_schema"


def describe_rule(rule: RuleSpec) -> str:
    """A rule as it is written: type, severity, keys."""
    given = rule.model_dump(exclude={"id", "type", "severity"}, exclude_none=True)
    text = ", ".join(f"{name}: {value}" for name, value in given.items())
    return f"{rule.type} ({rule.severity}): {text}"
