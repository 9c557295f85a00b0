"""The definitions of a code location, all of them made only where something asks for all.

A process that executes one run asks for one job, or for some assets of the job of
all assets. It is given that job, made of the pipelines that take part; nothing of
the others is read. Everything else (the code server, ``dagster definitions
validate``, definitions that are merged with these) asks for more, and so gets
what ``build`` makes of all pipelines. docs/decisions/0033 says what that saves.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import dagster as dg

from platform_pipelines import collector
from platform_pipelines.engine.project import open_part, open_project
from platform_pipelines.orchestration.build import project_definitions
from platform_pipelines.orchestration.jobs import COMMON
from platform_pipelines.orchestration.laterdata import LaterData
from platform_pipelines.orchestration.laterjob import LaterJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet


class Location(dg.Definitions):
    """Definitions of all pipelines; the YAML is read by the first question.

    Args:
        metadata: what the code location is to tell those who load it.
    """

    def __new__(cls, metadata: Mapping[str, str] | None = None) -> Self:  # noqa: D102 - as Definitions has it
        made: Self = super().__new__(cls, metadata=dict(metadata or {}))
        return made

    @cached_property
    def whole(self) -> dg.Definitions:
        """All definitions, made now.

        Raises:
            SpecError: something declared is wrong; the message names file and line.
        """
        with collector.kept():
            return project_definitions(open_project(), {name: str(each.value) for name, each in self.metadata.items()})

    def get_repository_def(self) -> dg.RepositoryDefinition:
        """What Dagster loads a code location from, runs too."""
        return self._repository

    @cached_property
    def _repository(self) -> _Repository:
        return _Repository(lambda: self.whole.get_repository_def(), self.metadata)  # noqa: PLW0108 - the whole is made later


def _of_the_whole(name: str) -> Any:  # noqa: ANN401 - as Definitions declares each
    return property(lambda location: getattr(location.whole, name))


# Definitions holds these as items of a tuple, of which a subclass can make properties, but not by a declaration
for _name in ("assets", "asset_checks", "jobs", "schedules", "sensors", "resources", "executor", "loggers"):
    setattr(Location, _name, _of_the_whole(_name))


class _Repository(dg.RepositoryDefinition):
    """A repository that knows how to make one job without the others."""

    def __init__(self, whole: Callable[[], dg.RepositoryDefinition], metadata: Mapping[str, Any]) -> None:
        self._later = LaterData(whole)
        super().__init__(_NAME, repository_data=self._later, metadata=metadata)

    def get_maybe_subset_job_def(  # what the processes of runs and steps ask for; the code server has loaded all
        self,
        job_name: str,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        """The job, narrowed down to what is selected."""
        names = _pipelines(job_name, asset_selection, asset_check_selection)

        def among_all() -> dg.JobDefinition:
            return _job(self._later.whole, job_name, op_selection, asset_selection, asset_check_selection)

        if self._later.loaded:
            return among_all()
        if not names:
            return LaterJob(among_all)
        part = _part(names)
        if part is None or not part.has_job(job_name):
            return among_all()
        return _job(part, job_name, op_selection, asset_selection, asset_check_selection)


#: what Dagster calls the repository of definitions
_NAME = dg.Definitions().get_repository_def().name


def _pipelines(
    job: str, assets: AbstractSet[dg.AssetKey] | None, checks: AbstractSet[dg.AssetCheckKey] | None
) -> set[str]:
    """The pipelines that take part in a job, or in these of its assets; their names are what keys begin with."""
    keys = {*(assets or ()), *(check.asset_key for check in checks or ())}
    return {key.path[0] for key in keys} if keys or job == COMMON else {job}


def _job(repository: dg.RepositoryDefinition, name: str, *selections: Any) -> dg.JobDefinition:  # noqa: ANN401 - as above
    found: dg.JobDefinition = repository.get_maybe_subset_job_def(name, *selections)
    return found


def _part(names: Iterable[str]) -> dg.RepositoryDefinition | None:
    project = open_part(sorted(names))
    return None if project is None else project_definitions(project).get_repository_def()
