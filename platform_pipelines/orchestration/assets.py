"""The assets of one pipeline: landing, validated, and one for each destination.

What the steps do is left to ``steps``, when they run to ``triggers``,
``schedules`` and ``sensors``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from platform_pipelines.connectors.registry import connector_class
from platform_pipelines.orchestration import naming, triggers
from platform_pipelines.orchestration.bodies import landing_body, loading_body, validation_body
from platform_pipelines.orchestration.checks import accounting_check, rule_checks
from platform_pipelines.orchestration.operations import asset_definition
from platform_pipelines.orchestration.partitions import partitions_definition
from platform_pipelines.orchestration.quality_checks import quality_checks, reconciliation_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine import Project
    from platform_pipelines.orchestration.bodies import Body
    from platform_pipelines.spec import DestinationSpec, PipelineSpec


def pipeline_assets(project: Project, spec: PipelineSpec) -> list[dg.AssetsDefinition]:
    """One definition, and so one step, for each asset of the pipeline, in the order of the flow."""
    with warnings.catch_warnings():
        # backfill policies and code references are used on purpose; see the pinned version of Dagster
        warnings.simplefilter("ignore", dg.BetaWarning)
        made = _Assets(project, spec)
        return [made.landing(), made.validated(), *(made.destination(each) for each in spec.destinations)]


def asset_keys(spec: PipelineSpec) -> list[dg.AssetKey]:
    """The keys of a pipeline's assets, in the order of the flow."""
    own = [naming.landing_key(spec.name), naming.validated_key(spec.name)]
    return own + [naming.destination_key(spec.name, each.name) for each in spec.destinations]


@dataclass
class _Assets:
    project: Project
    spec: PipelineSpec
    partitions: dg.PartitionsDefinition[str] | None = field(init=False)
    source: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.partitions = partitions_definition(self.spec.partitions)
        self.source = _source(self.spec)

    def landing(self) -> dg.AssetsDefinition:
        spec = self.spec
        asset = self._spec(
            naming.landing_key(spec.name),
            f"What was read from `{spec.source.stream}` ({spec.source.connector}), as it came.",
            kinds={self._kind(spec.source.connector), "parquet"},
            deps=triggers.dependencies(self.project.catalog, spec),
            condition=triggers.landing_condition(self.project.catalog, spec),
            skippable=spec.partitions is not None,
        )
        return self._definition(asset, landing_body(self.project, spec), naming.feed_pool(spec.name))

    def validated(self) -> dg.AssetsDefinition:
        spec = self.spec
        asset = self._spec(
            naming.validated_key(spec.name),
            "Rows after transforms and rules; behind a closed gate nothing is loaded.",
            kinds={"parquet", "duckdb"},
            deps=[naming.landing_key(spec.name)],
            condition=triggers.following_condition(spec),
        )
        body = validation_body(self.project, spec)
        checks = [*rule_checks(spec, asset.key), *quality_checks(spec, asset.key)]
        return self._definition(asset, body, naming.feed_pool(spec.name), checks)

    def destination(self, target: DestinationSpec) -> dg.AssetsDefinition:
        spec = self.spec
        asset = self._spec(
            naming.destination_key(spec.name, target.name),
            f"`{target.table}` in {target.connector}, by {target.mode}.",
            kinds={self._kind(target.connector)},
            deps=[naming.validated_key(spec.name)],
            condition=triggers.following_condition(spec),
            metadata={"dagster/table_name": target.table},
        )
        single = connector_class(self._kind(target.connector)).single_writer
        pool = naming.load_pool(target.connector, target.table, single_writer=single)
        body = loading_body(self.project, spec, target.name)
        checks = [accounting_check(asset.key), *reconciliation_checks(spec, target.name, asset.key)]
        return self._definition(asset, body, pool, checks)

    def _kind(self, connector: str) -> str:
        return self.project.catalog.connector(self.spec, connector).type

    def _spec(  # noqa: PLR0913 - all by name
        self,
        key: dg.AssetKey,
        text: str,
        *,
        kinds: set[str],
        deps: Sequence[dg.AssetDep | dg.AssetKey],
        condition: triggers.Condition | None,
        metadata: dict[str, Any] | None = None,
        skippable: bool = False,
    ) -> dg.AssetSpec:
        spec = self.spec
        return dg.AssetSpec(
            key=key,
            deps=deps,
            description=f"{spec.description}\n\n{text}".strip(),
            group_name=spec.domain,
            owners=list(spec.owners),
            tags=spec.tags,
            kinds=kinds,
            skippable=skippable,
            partitions_def=self.partitions,
            automation_condition=condition,
            metadata={**(metadata or {}), **self.source},
        )

    def _definition(
        self,
        asset: dg.AssetSpec,
        body: Body,
        pool: str,
        checks: Sequence[dg.AssetCheckSpec] = (),
    ) -> dg.AssetsDefinition:
        return asset_definition(asset, body, pool=pool, checks=checks)


def _source(spec: PipelineSpec) -> dict[str, Any]:
    """The place in the YAML, which the UI links to."""
    if spec.file is None:
        return {}
    place = dg.LocalFileCodeReference(
        file_path=str(Path(spec.file).absolute()), line_number=spec.line or 1, label=f"{spec.name}.yaml"
    )
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
