"""What a repository holds, made when the first question about it comes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet


class LaterData(dg.RepositoryData):
    """Answers as the repository does that is made by the first question.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[], dg.RepositoryDefinition]) -> None:
        self._make = make

    @property
    def loaded(self) -> bool:
        """Whether it is made already."""
        return "whole" in vars(self)

    @cached_property
    def whole(self) -> dg.RepositoryDefinition:
        """The repository, made now."""
        return self._make()

    def load_all_definitions(self) -> None:
        """Make everything, so that threads may ask."""
        self.whole.load_all_definitions()

    def get_top_level_resources(self) -> Mapping[str, dg.ResourceDefinition]:
        """Resources by name."""
        return self.whole.get_top_level_resources()

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, AbstractSet[str]]:
        """Environment variables that resources name."""
        return self.whole.get_env_vars_by_top_level_resource()

    def get_all_jobs(self) -> Sequence[dg.JobDefinition]:
        """All jobs, that of all assets too."""
        return self.whole.get_all_jobs()

    def get_job_names(self) -> Sequence[str]:
        """Names of all jobs; none of them is made for that."""
        return self.whole.job_names

    def has_job(self, job_name: str) -> bool:
        """Whether there is such a job."""
        return self.whole.has_job(job_name)

    def get_job(self, job_name: str) -> dg.JobDefinition:
        """One job."""
        return self.whole.get_job(job_name)

    def get_all_schedules(self) -> Sequence[dg.ScheduleDefinition]:
        """All schedules."""
        return self.whole.schedule_defs

    def get_all_sensors(self) -> Sequence[dg.SensorDefinition]:
        """All sensors."""
        return self.whole.sensor_defs

    def get_schedule(self, schedule_name: str) -> dg.ScheduleDefinition:
        """One schedule."""
        return self.whole.get_schedule_def(schedule_name)

    def has_schedule(self, schedule_name: str) -> bool:
        """Whether there is such a schedule."""
        return self.whole.has_schedule_def(schedule_name)

    def get_sensor(self, sensor_name: str) -> dg.SensorDefinition:
        """One sensor."""
        return self.whole.get_sensor_def(sensor_name)

    def has_sensor(self, sensor_name: str) -> bool:
        """Whether there is such a sensor."""
        return self.whole.has_sensor_def(sensor_name)

    def get_source_assets_by_key(self) -> Mapping[dg.AssetKey, dg.SourceAsset]:
        """Assets that others make."""
        return self.whole.source_assets_by_key

    def get_assets_defs_by_key(self) -> Mapping[dg.AssetKey, dg.AssetsDefinition]:
        """Assets by key."""
        return self.whole.assets_defs_by_key

    def get_asset_checks_defs_by_key(self) -> Mapping[dg.AssetCheckKey, dg.AssetChecksDefinition]:
        """Checks that stand by themselves."""
        return self.whole.asset_checks_defs_by_key
