"""Everything that Dagster is given for a project, and for a single pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration.assets import asset_keys, pipeline_assets
from platform_pipelines.orchestration.executors import executor
from platform_pipelines.orchestration.jobs import Target, pipeline_jobs, targets
from platform_pipelines.orchestration.quality_sensors import quality_sensors
from platform_pipelines.orchestration.resources import connector_resources
from platform_pipelines.orchestration.schedules import pipeline_schedule
from platform_pipelines.orchestration.sensors import change_sensor
from platform_pipelines.orchestration.triggers import trigger_sensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from platform_pipelines.engine import Project
    from platform_pipelines.spec import PipelineSpec


def project_definitions(project: Project, metadata: Mapping[str, str] | None = None) -> dg.Definitions:
    """The definitions of a whole code location.

    Args:
        project: connectors, pipelines and the landing log.
        metadata: what else the code location is to tell those who load it.

    Raises:
        SpecError: an environment variable asks for something that does not exist.
    """
    found = list(targets(project.catalog.pipelines).values())
    return dg.Definitions(
        assets=[asset for spec in project.catalog.pipelines.values() for asset in pipeline_assets(project, spec)],
        jobs=pipeline_jobs(found),
        schedules=_schedules(found),
        sensors=[*_sensors(project, found), *_trigger_sensors(project.catalog.pipelines.values())],
        resources=connector_resources(project),
        executor=executor(),
        metadata=dict(metadata or {}),
    )


def pipeline_definitions(project: Project, spec: PipelineSpec) -> dg.Definitions:
    """The definitions of one pipeline, to be merged with others: no resources, no executor."""
    target = Target(spec, own=True)
    triggered = dg.AssetSelection.assets(*asset_keys(spec))
    return dg.Definitions(
        assets=pipeline_assets(project, spec),
        jobs=pipeline_jobs([target]),
        schedules=_schedules([target]),
        sensors=[
            *_sensors(project, [target]),
            *([trigger_sensor(triggered, f"{spec.name}_triggers")] if spec.triggers.after else []),
        ],
    )


def _schedules(found: Iterable[Target]) -> list[dg.ScheduleDefinition]:
    return [schedule for target in found if (schedule := pipeline_schedule(target)) is not None]


def _sensors(project: Project, found: Sequence[Target]) -> list[dg.SensorDefinition]:
    changes = [sensor for target in found if (sensor := change_sensor(project, target)) is not None]
    return changes + [sensor for target in found for sensor in quality_sensors(project, target)]


def _trigger_sensors(specs: Iterable[PipelineSpec]) -> list[dg.AutomationConditionSensorDefinition]:
    """One for all: it also serves conditions on the assets of others in this code location."""
    waiting = any(spec.triggers.after for spec in specs)
    return [trigger_sensor(dg.AssetSelection.all())] if waiting else []
