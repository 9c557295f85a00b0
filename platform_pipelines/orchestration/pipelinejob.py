"""The job of one pipeline, made in a time that does not grow with the number of pipelines.

Dagster resolves a job of assets by looking through all assets of the code location,
once for each job. What a job is made of are its assets and those that they wait
for; looking through these alone gives the same job (docs/decisions/0012).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# it has no public name, and ``define_asset_job`` makes no subclass of it
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph


class PipelineJob(UnresolvedAssetJobDefinition):
    """What ``dg.define_asset_job`` makes, resolved among as few assets as possible."""

    def resolve(self, asset_graph: AssetGraph, *given: Any, **named: Any) -> dg.JobDefinition:  # noqa: ANN401 - passed on
        """The job, for a repository in which ``asset_graph`` holds all assets."""
        return super().resolve(self._around(asset_graph), *given, **named)

    def _around(self, asset_graph: AssetGraph) -> AssetGraph:
        selected = self.selection.resolve(asset_graph)
        own = {asset_graph.assets_def_for_key(key) for key in selected}
        awaited = {key for definition in own for key in definition.node_keys_by_input_name.values()} - selected
        return type(asset_graph).from_assets([*own, *map(asset_graph.assets_def_for_key, awaited)])
