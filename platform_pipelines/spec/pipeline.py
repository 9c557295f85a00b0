"""A whole pipeline as declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from platform_pipelines.model import Feed
from platform_pipelines.spec.base import Frozen, Seconds
from platform_pipelines.spec.connector import ConnectorSpec
from platform_pipelines.spec.destination import DestinationSpec
from platform_pipelines.spec.feeds import feed
from platform_pipelines.spec.names import GroupName, Owner, PipelineName, Tags
from platform_pipelines.spec.partitions import Partitions, TimePartitions
from platform_pipelines.spec.quality import QualitySpec
from platform_pipelines.spec.source import SourceSpec
from platform_pipelines.spec.timing import Retries, Schedule, Triggers
from platform_pipelines.spec.transform import TransformSpec

MAX_DESTINATIONS = 20


class PipelineSpec(Frozen):
    """One pipeline; the fields are the keys of its YAML file."""

    name: PipelineName = Field(description="Letters, digits and underscores.")
    domain: GroupName = Field(default="default", description="The asset group, and who owns it.")
    description: str = Field(default="", description="What this pipeline is for.")
    owners: tuple[Owner, ...] = Field(default=(), description="E-mail addresses or team:NAME.")
    tags: Tags = Field(default_factory=dict, description="Shown and filtered by in the UI.")
    source: SourceSpec = Field(description="What is read.")
    transforms: tuple[TransformSpec, ...] = Field(default=(), description="Steps between source and destinations.")
    quality: QualitySpec = Field(default_factory=QualitySpec, description="What must hold for rows.")
    destinations: Annotated[tuple[DestinationSpec, ...], Field(min_length=1, max_length=MAX_DESTINATIONS)] = Field(
        description="Where rows are loaded, each exactly once."
    )
    partitions: Partitions | None = Field(default=None, description="How the stream is cut into partitions.")
    schedule: Schedule | None = Field(default=None, description="When it runs by itself.")
    triggers: Triggers = Field(default_factory=Triggers, description="After which pipelines it runs.")
    retries: Retries = Field(
        default_factory=Retries,
        description="How often Dagster tries a step that met a passing fault again; `pipelines run` tries once.",
    )
    timeout: Seconds | None = Field(default=None, description="Longest time of one run in Dagster.")
    steps: tuple[Any, ...] = Field(default=(), description="Not available yet: leave it empty.")

    _file: str | None = PrivateAttr(default=None)
    _line: int | None = PrivateAttr(default=None)
    _inline: Mapping[str, ConnectorSpec] = PrivateAttr(default_factory=dict)

    def place(self, file: str | None, line: int | None, inline: Mapping[str, ConnectorSpec]) -> None:
        """Say where it was read and which connectors stand in it; for the reader only."""
        self._file, self._line, self._inline = file, line, dict(inline)

    @property
    def file(self) -> str | None:
        """The YAML file it was read from; None if it was built from a mapping."""
        return self._file

    @property
    def line(self) -> int | None:
        """The line on which it begins."""
        return self._line

    @property
    def inline_connectors(self) -> Mapping[str, ConnectorSpec]:
        """The connectors written inside the pipeline, by their derived names."""
        return self._inline

    def feeds(self, now: dt.datetime) -> list[Feed]:
        """All feeds that exist at ``now`` (with zone): one per partition, or one."""
        if self.partitions is None:
            return [Feed(self.name)]
        return [Feed(self.name, key) for key in self.partitions.keys(now)]

    def feed(self, key: str | None = None, now: dt.datetime | None = None) -> Feed:
        """The feed of a partition key that exists at ``now``; None for a pipeline without partitions.

        Raises:
            UsageError: no such partition, or a key where none is possible.
        """
        return feed(self, key, now or dt.datetime.now(dt.UTC))

    @property
    def time_partitions(self) -> TimePartitions | None:
        """The partitions, if they are by time."""
        return self.partitions if isinstance(self.partitions, TimePartitions) else None
