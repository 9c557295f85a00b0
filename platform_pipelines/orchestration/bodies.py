"""What each step runs: its options from the launchpad, then the stage.

Dagster reads the annotations of these functions at run time, so this module
does without ``from __future__ import annotations``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from platform_pipelines.engine import Project
from platform_pipelines.orchestration.options import Decision, LandingOptions, LoadingOptions, ValidationOptions
from platform_pipelines.orchestration.stages import Landing, Loading, Validation
from platform_pipelines.orchestration.steps import Event, Step
from platform_pipelines.spec import PipelineSpec

Run = Callable[[dg.AssetExecutionContext, Any], Iterator[Event]]


@dataclass(frozen=True)
class Body:
    """A step's function, and the schema of the options it takes.

    Attributes:
        run: takes the step's context and its inputs, of which there are none with a value.
        schema: what the launchpad asks for.
    """

    run: Run
    schema: Any


#: derived from the options once, not for each of the thousands of steps that take them
_LANDING = LandingOptions.to_config_schema()
_VALIDATION = ValidationOptions.to_config_schema()
_LOADING = LoadingOptions.to_config_schema()


def landing_body(project: Project, spec: PipelineSpec) -> Body:
    """Land."""

    def run(context: dg.AssetExecutionContext, _: object) -> Iterator[Event]:
        given = LandingOptions(**context.op_execution_context.op_config)
        step = Step(context, project, spec, full_refresh=given.full_refresh, allow_destructive=given.allow_destructive)
        yield from step.run(Landing(spec.name))

    return Body(run, _LANDING)


def validation_body(project: Project, spec: PipelineSpec) -> Body:
    """Validate."""

    def run(context: dg.AssetExecutionContext, _: object) -> Iterator[Event]:
        given = ValidationOptions(**context.op_execution_context.op_config)
        decision = None if given.held_batch is Decision.judge else given.held_batch.value
        yield from Step(context, project, spec).run(Validation(spec.name, decision))

    return Body(run, _VALIDATION)


def loading_body(project: Project, spec: PipelineSpec, destination: str) -> Body:
    """Load one destination."""

    def run(context: dg.AssetExecutionContext, _: object) -> Iterator[Event]:
        given = LoadingOptions(**context.op_execution_context.op_config)
        step = Step(context, project, spec, allow_destructive=given.allow_destructive)
        yield from step.run(Loading(spec.name, destination))

    return Body(run, _LOADING)
