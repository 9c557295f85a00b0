"""What each step runs: its options from the launchpad, then the stage.

Dagster reads the annotations of these functions at run time, so this module
does without ``from __future__ import annotations``.
"""

from collections.abc import Callable, Iterator

import dagster as dg

from platform_pipelines.engine import Project
from platform_pipelines.orchestration.options import Decision, LandingOptions, LoadingOptions, ValidationOptions
from platform_pipelines.orchestration.stages import Landing, Loading, Validation
from platform_pipelines.orchestration.steps import Event, Step
from platform_pipelines.spec import PipelineSpec

Body = Callable[..., Iterator[Event]]


def landing_body(project: Project, spec: PipelineSpec) -> Body:
    """Land."""

    def run(context: dg.AssetExecutionContext, config: LandingOptions) -> Iterator[Event]:
        step = Step(
            context, project, spec, full_refresh=config.full_refresh, allow_destructive=config.allow_destructive
        )
        yield from step.run(Landing(spec.name))

    return run


def validation_body(project: Project, spec: PipelineSpec) -> Body:
    """Validate."""

    def run(context: dg.AssetExecutionContext, config: ValidationOptions) -> Iterator[Event]:
        decision = None if config.held_batch is Decision.judge else config.held_batch.value
        yield from Step(context, project, spec).run(Validation(spec.name, decision))

    return run


def loading_body(project: Project, spec: PipelineSpec, destination: str) -> Body:
    """Load one destination."""

    def run(context: dg.AssetExecutionContext, config: LoadingOptions) -> Iterator[Event]:
        step = Step(context, project, spec, allow_destructive=config.allow_destructive)
        yield from step.run(Loading(spec.name, destination))

    return run
