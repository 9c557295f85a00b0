"""One step: a stage for the partitions of a run, and what Dagster is told about each.

A step for one partition, or for none, succeeds or fails as a whole. In a run for
a range of partitions each stands for itself: where some fail, the others are
recorded as materialized and taken on through the pipeline's remaining assets of
the run, which Dagster skips behind a failed step; then the step fails, and so do
exactly the partitions that were not materialized (docs/decisions/0011).

A run of a partitioned pipeline that was given no partition, as by ``dagster job
execute``, takes those that ``pipelines run`` would, and brings destinations what they lack
of others. Dagster starts no step behind
a partitioned asset in such a run, so the landing step does the work of all, and
leaves the others to be skipped.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines import durable
from platform_pipelines.engine import Context
from platform_pipelines.engine.report import Validated
from platform_pipelines.model import Feed
from platform_pipelines.orchestration.checks import accounting_result, rule_results
from platform_pipelines.orchestration.failures import failure, masked
from platform_pipelines.orchestration.materialization import describe
from platform_pipelines.orchestration.progress import Watch
from platform_pipelines.orchestration.quality_checks import quality_results, reconciliation_results
from platform_pipelines.orchestration.retries import delay_before
from platform_pipelines.orchestration.stages import Landing, Loading, Validation
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from platform_pipelines.engine import Project
    from platform_pipelines.engine.told import Told
    from platform_pipelines.orchestration.stages import Outcome, Stage
    from platform_pipelines.spec import PipelineSpec

Event = dg.MaterializeResult[None] | dg.AssetCheckResult | dg.AssetMaterialization | dg.AssetCheckEvaluation


class Step:
    """One execution of one stage.

    Args:
        dagster: the step's context.
        project: connectors and the landing log.
        spec: the pipeline.
        full_refresh: begin a new epoch.
        allow_destructive: columns at destinations may be dropped or narrowed.
    """

    def __init__(
        self,
        dagster: dg.AssetExecutionContext,
        project: Project,
        spec: PipelineSpec,
        *,
        full_refresh: bool = False,
        allow_destructive: bool = False,
    ) -> None:
        self._dagster = dagster
        self._spec = spec
        self._context = Context(
            project=project,
            pipeline=spec,
            token=f"pt-{dagster.run.run_id}",
            run_id=dagster.run.run_id,
            full_refresh=full_refresh,
            allow_destructive=allow_destructive,
            progress=Watch(dagster.log, spec.timeout),
        )

    def run(self, stage: Stage) -> Iterator[Event]:
        """Run the stage for every partition of the run.

        Raises:
            dagster.Failure: at least one of them failed.
            dagster.RetryRequested: the same, and the step is to be tried again.
        """
        with self._context.alive():
            self._record(stage, "begun")
            try:
                with masked():
                    yield from _named(stage, self._run(stage))
            except Exception as error:
                self._record(stage, "failed", error=mask(str(error)))
                again = self._again(error)
                if again is None:
                    raise
                raise again from error
            self._record(stage, "done")

    def _again(self, error: Exception) -> dg.RetryRequested | None:
        """The wish to be tried again after ``error``; None where that would not help.

        It is said here, not by a policy on the step: that would also try a step
        again which somebody cancelled.
        """
        retries, before = self._spec.retries, self._dagster.retry_number
        if not isinstance(error, dg.Failure) or not error.allow_retries or before >= retries.max:
            return None
        return dg.RetryRequested(retries.max, delay_before(retries, before + 1))

    def _record(self, stage: Stage, state: str, **more: str) -> None:
        self._context.record("step", {"asset": stage.key.to_user_string(), "state": state, **more})

    def _run(self, stage: Stage) -> Iterator[Event]:
        feeds = self._feeds(stage)
        outcomes = list(stage.outcomes(self._context, feeds))
        good = [outcome for outcome in outcomes if outcome.error is None]
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        if failed and failure(outcomes).allow_retries and self._dagster.retry_number < self._spec.retries.max:
            raise failure(outcomes)  # the next try reports on all partitions
        yield from self._check_results(stage, outcomes)
        if self._chooses(stage) or (failed and self._dagster.has_partition_key_range):
            yield from self._materializations(stage, good)
            late = self._late(stage, feeds) if self._chooses(stage) else {}
            yield from self._carry_on(stage, [outcome.feed for outcome in good], failed, late)
        elif not failed:
            yield self._materialize(stage, good)
        if failed:
            raise failure(failed)

    def _feeds(self, stage: Stage) -> list[Feed]:
        if self._spec.partitions is None:
            return [Feed(self._spec.name)]
        if self._chooses(stage):
            from platform_pipelines.engine.scope import due_feeds

            return due_feeds(self._context, self._told)
        return [Feed(self._spec.name, key) for key in self._dagster.partition_keys]

    def _late(self, stage: Stage, feeds: Sequence[Feed]) -> Mapping[Feed, list[str]]:
        """The destinations of this run that lack batches of partitions which it does not read, by partition.

        One that was down when they were due, for example: the run was a failure, but what it landed is not due again.
        """
        from platform_pipelines.engine.lagging import lagging

        targets = [each.destination for each in self._following(stage) if isinstance(each, Loading)]
        return lagging(self._context, targets, feeds, self._told)

    @cached_property
    def _told(self) -> Told:
        from platform_pipelines.engine.told import Told

        return Told(self._context.project, self._spec.name)

    def _chooses(self, stage: Stage) -> bool:
        """Whether the run was given no partition, though the pipeline has some: where it begins, it takes those due."""
        given = self._dagster.has_partition_key or self._dagster.has_partition_key_range
        return self._spec.partitions is not None and not given and isinstance(stage, Landing)

    def _materialize(self, stage: Stage, outcomes: Sequence[Outcome]) -> dg.MaterializeResult[None]:
        for outcome in outcomes:
            if outcome.report is not None:
                self._dagster.add_asset_metadata(
                    describe(self._context, stage, outcome.report),
                    asset_key=stage.key,
                    partition_key=outcome.feed.partition,
                )
        return dg.MaterializeResult(asset_key=stage.key)

    def _materializations(self, stage: Stage, outcomes: Sequence[Outcome]) -> Iterator[dg.AssetMaterialization]:
        for outcome in outcomes:
            if outcome.report is not None:
                yield dg.AssetMaterialization(
                    asset_key=stage.key,
                    partition=outcome.feed.partition,
                    metadata=describe(self._context, stage, outcome.report),
                )

    def _check_results(self, stage: Stage, outcomes: Sequence[Outcome]) -> Iterator[dg.AssetCheckResult]:
        if isinstance(stage, Validation):
            self._warn(outcomes)
            yield from rule_results(self._spec, outcomes)
            yield from quality_results(self._context.project, self._spec, outcomes)
        elif isinstance(stage, Loading) and (result := accounting_result(outcomes)) is not None:
            yield result
            yield from reconciliation_results(self._spec, stage.destination, outcomes)

    def _warn(self, outcomes: Sequence[Outcome]) -> None:
        """Log the optional transforms that failed and were skipped."""
        for outcome in outcomes:
            transforms = outcome.report.transforms if isinstance(outcome.report, Validated) else ()
            for each in (transform for transform in transforms if transform.skipped):
                said = (each.label, outcome.feed.id, mask(each.error or ""))
                self._dagster.log.warning("Transform `%s` of %s was skipped: %s", *said)

    def _carry_on(
        self, stage: Stage, feeds: Sequence[Feed], failed: list[Outcome], late: Mapping[Feed, list[str]]
    ) -> Iterator[Event]:
        """Do for ``feeds`` what the steps behind this one, now skipped, would have done; add to ``failed``.

        Destinations also get what they lack of the feeds that are ``late``.
        """
        for following in self._following(stage):
            named = following.destination if isinstance(following, Loading) else None
            wanted = [*feeds, *(feed for feed, names in late.items() if named in names)]
            outcomes = list(following.outcomes(self._context, wanted)) if wanted else []
            good = [outcome for outcome in outcomes if outcome.error is None]
            failed.extend(outcome for outcome in outcomes if outcome.error is not None)
            for result in self._check_results(following, outcomes):
                yield _evaluation(following.key, result)
            yield from self._materializations(following, good)
            if isinstance(following, Validation):
                feeds = [outcome.feed for outcome in good]

    def _following(self, stage: Stage) -> list[Stage]:
        """The stages behind ``stage`` whose steps are in this run, in order."""
        loads: list[Stage] = [Loading(self._spec.name, each.name) for each in self._spec.destinations]
        if isinstance(stage, Validation):
            return [each for each in loads if self._in_run(each)]
        validation = Validation(self._spec.name)
        if isinstance(stage, Landing) and self._in_run(validation):
            return [validation, *(each for each in loads if self._in_run(each))]
        return []

    def _in_run(self, stage: Stage) -> bool:
        return stage.key in self._planned

    @cached_property
    def _planned(self) -> set[dg.AssetKey | None]:
        """The assets that this run is to materialize, by what it announced."""
        announced = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        entries = self._dagster.instance.all_logs(self._dagster.run.run_id, of_type=announced)
        return {entry.dagster_event.asset_key for entry in entries if entry.dagster_event is not None}


def _evaluation(asset: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=result.check_name or "",
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )


def _named(stage: Stage, events: Iterator[Event]) -> Iterator[Event]:
    """The events, each handed over to Dagster as an effect."""
    for event in events:
        with durable.effect("event", f"{type(event).__name__} of {stage.key.to_user_string()}"):
            yield event
