"""A Dagster component whose attributes are the YAML of one pipeline.

For people who keep pipelines in a ``dg`` project of their own. What the keys
mean is left to ``spec``; here they are only named, so that ``dg`` can check them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping  # noqa: TC003 - pydantic reads it
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.engine import Project
from platform_pipelines.errors import SpecError
from platform_pipelines.orchestration.build import pipeline_definitions
from platform_pipelines.spec import Catalog, ConnectorSpec, PipelineSpec, pipeline_from_config
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain
from platform_pipelines.store import Store

CONNECTORS = "connectors.yaml"


class PipelineComponent(dg.Component, dg.Model, dg.Resolvable):
    """A pipeline: reads a source incrementally, validates, and loads every row exactly once.

    Attributes are the keys of a pipeline's YAML file. Connectors are looked up in
    ``connectors``, then in the nearest ``connectors.yaml`` beside or above the
    component, up to the project's folder.
    """

    name: str = Field(description="Letters, digits and underscores.")
    source: dict[str, Any] = Field(description="What is read: connector, stream, mode, cursor …")
    destinations: list[dict[str, Any]] | None = Field(default=None, description="Where rows are loaded, exactly once.")
    destination: dict[str, Any] | None = Field(default=None, description="A single destination, in the short form.")
    engine: dict[str, Any] | None = Field(default=None, description="Checkpoints, in the short form.")
    domain_id: str | None = Field(default=None, description="The asset group, in the short form.")
    domain: str | None = Field(default=None, description="The asset group.")
    description: str | None = Field(default=None, description="What this pipeline is for.")
    owners: list[str] | None = Field(default=None, description="E-mail addresses or team:NAME.")
    tags: dict[str, Any] | None = Field(default=None, description="Shown and filtered by in the UI.")
    transforms: list[dict[str, Any]] | None = Field(default=None, description="Steps between source and destinations.")
    quality: dict[str, Any] | None = Field(default=None, description="Rules, gate, schema contract.")
    partitions: dict[str, Any] | None = Field(default=None, description="How the stream is cut into partitions.")
    schedule: dict[str, Any] | None = Field(default=None, description="Cron expression and zone.")
    triggers: dict[str, Any] | None = Field(default=None, description="Pipelines after which this one runs.")
    retries: dict[str, Any] | None = Field(default=None, description="How passing faults are tried again.")
    timeout: str | float | None = Field(default=None, description="Longest time of one run, such as 1h.")
    connectors: dict[str, Any] | None = Field(default=None, description="Connections by name, as in connectors.yaml.")

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What ``dg list components`` says."""
        return dg.ComponentTypeSpec(
            description="A pipeline as YAML: reads incrementally, validates, loads every row exactly once.",
            tags=["ingestion", "quality"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets, checks, job, schedule and sensors of the pipeline.

        Raises:
            SpecError: something declared is wrong; the message names the component's file.
        """
        root = Path(context.project_root)
        folder = context.path if context.path.is_dir() else context.path.parent
        connectors = _saved(folder, root) | _specs(self.connectors or {}, None)
        spec = self._pipeline(Catalog(root, folder, connectors), folder)
        catalog = Catalog(root, folder, connectors, {spec.name: spec})
        store = Store(os.environ.get("PIPELINES_STORE") or Store.DEFAULT_PATH, root)
        return pipeline_definitions(Project(catalog=catalog, store=store, root=root), spec)

    def _pipeline(self, catalog: Catalog, folder: Path) -> PipelineSpec:
        config = self.model_dump(exclude={"connectors"}, exclude_none=True)
        try:
            return pipeline_from_config(config, catalog, capabilities)
        except SpecError as error:
            raise SpecError(error.message, file=str(folder / "defs.yaml")) from error


def _saved(folder: Path, root: Path) -> dict[str, ConnectorSpec]:
    for place in (folder, *folder.parents):
        file = place / CONNECTORS
        if file.is_file():
            return _specs(plain(parse(file.read_bytes(), str(file))) or {}, str(file))
        if place == root:
            break
    return {}


def _specs(connectors: Mapping[str, Any], file: str | None) -> dict[str, ConnectorSpec]:
    found = {}
    for name, config in connectors.items():
        if not isinstance(config, dict) or not isinstance(config.get("type"), str):
            msg = f"Connector `{name}` needs a `type`, as in {{type: postgres, dsn: …}}."
            raise SpecError(msg, file=file)
        found[name] = ConnectorSpec(name, config["type"], config, file)
    return found
