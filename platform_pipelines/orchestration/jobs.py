"""Jobs: one per pipeline, bearing its name, as long as that stays cheap.

Each costs the code server some milliseconds, most of them for its snapshot. Above
the limit only pipelines that run by themselves or have a timeout get one; if these
are too many as well, none does, and one job runs them all by selecting assets
(docs/decisions/0012).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.errors import SpecError
from platform_pipelines.orchestration.assets import asset_keys
from platform_pipelines.orchestration.naming import MAX_RUNTIME_TAG, PARTITION_TAG
from platform_pipelines.orchestration.pipelinejob import PipelineJob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from platform_pipelines.spec import PipelineSpec

SETTING = "PIPELINES_JOBS"
#: jobs of pipelines in one code location, unless the setting says otherwise
LIMIT = 100
#: the job that Dagster itself makes of all assets: it runs pipelines that have none of their own
COMMON = "__ASSET_JOB"


@dataclass(frozen=True)
class Target:
    """What a schedule or sensor launches for one pipeline.

    Attributes:
        spec: the pipeline.
        own: whether it has a job of its own.
    """

    spec: PipelineSpec
    own: bool

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.spec.name if self.own else COMMON

    def request(self, run_key: str, partition: str | None = None) -> dg.RunRequest:
        """A run of the pipeline, or of one partition of it, that is launched once for each ``run_key``."""
        if self.own:
            return dg.RunRequest(run_key=run_key, partition_key=partition)
        tags = run_tags(self.spec) | ({} if partition is None else {PARTITION_TAG: partition})
        return dg.RunRequest(run_key=run_key, asset_selection=asset_keys(self.spec), tags=tags)


def targets(pipelines: Mapping[str, PipelineSpec]) -> dict[str, Target]:
    """What each pipeline is launched by.

    Raises:
        SpecError: ``PIPELINES_JOBS`` is none of ``all``, ``scheduled`` and ``none``.
    """
    own = _with_job(list(pipelines.values()), os.environ.get(SETTING))
    return {name: Target(spec, name in own) for name, spec in pipelines.items()}


def pipeline_jobs(found: Iterable[Target]) -> list[PipelineJob]:
    """The jobs that ``found`` launch, beside the one that is there anyhow."""
    return [_job(target.spec) for target in found if target.own]


def run_tags(spec: PipelineSpec) -> dict[str, str]:
    """Tags of a pipeline's runs: the time after which Dagster's run monitoring ends them, in seconds."""
    return {} if spec.timeout is None else {MAX_RUNTIME_TAG: str(max(1, round(spec.timeout)))}


def _job(spec: PipelineSpec) -> PipelineJob:
    return PipelineJob(
        spec.name,
        selection=dg.AssetSelection.assets(*asset_keys(spec)),
        description=spec.description or None,
        tags=run_tags(spec),
    )


def _with_job(specs: Sequence[PipelineSpec], setting: str | None) -> set[str]:
    everyone = {spec.name for spec in specs}
    needed = {spec.name for spec in specs if _runs_itself(spec) or spec.timeout is not None}
    if setting is None or not setting:
        return next((names for names in (everyone, needed) if len(names) <= LIMIT), set())
    choices: dict[str, set[str]] = {"all": everyone, "scheduled": needed, "none": set()}
    if setting not in choices:
        msg = f"{SETTING}={setting} is not allowed. Allowed: {', '.join(choices)}; unset: as many as {LIMIT} allow."
        raise SpecError(msg)
    return choices[setting]


def _runs_itself(spec: PipelineSpec) -> bool:
    return spec.schedule is not None or (spec.partitions is not None and spec.partitions.detect_changes)
