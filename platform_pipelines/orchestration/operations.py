"""An asset and the step that makes it, put together without Dagster's decorators.

``multi_asset`` looks into the function it decorates, and derives the schema of
its configuration, for each asset anew: 1 ms of it, three times a pipeline
(docs/decisions/0030). What it would find is the same for every pipeline, so it is
told here. What a step does is left to ``bodies``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration import naming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.orchestration.bodies import Body

#: an asset in the order of another one passes it no value
_AFTER = dg.In(dg.Nothing)
#: what an asset is, its own specification says
_MADE = dg.Out(dg.Nothing)
#: steps behind one that makes nothing are skipped (``steps``)
_MADE_OR_NOT = dg.Out(dg.Nothing, is_required=False)
_CHECKED = dg.Out(dagster_type=None)
_ONE_RUN = dg.BackfillPolicy.single_run()


def asset_definition(
    asset: dg.AssetSpec,
    body: Body,
    *,
    pool: str,
    checks: Sequence[dg.AssetCheckSpec] = (),
) -> dg.AssetsDefinition:
    """The definition that ``dg.multi_asset(specs=[asset], check_specs=checks)`` makes of ``body``.

    Args:
        asset: the one asset that the step makes.
        body: what the step runs.
        pool: the pool its step waits for.
        checks: what it reports beside the materialization.
    """
    waits = {_identifier(dep.asset_key): dep.asset_key for dep in asset.deps}
    made = asset.key.to_python_identifier()
    reported = {check.get_python_identifier(): check for check in checks}
    step = dg.OpDefinition(
        compute_fn=body.run,
        name=naming.step_name(asset.key),
        ins=dict.fromkeys(waits, _AFTER),
        outs={made: _MADE_OR_NOT if asset.skippable else _MADE, **dict.fromkeys(reported, _CHECKED)},
        config_schema=body.schema,
        pool=pool,
    )
    return dg.AssetsDefinition(
        keys_by_input_name=waits,
        keys_by_output_name={made: asset.key},
        node_def=step,
        specs=[asset],
        check_specs_by_output_name=reported,
        backfill_policy=None if asset.partitions_def is None else _ONE_RUN,
    )


def _identifier(key: dg.AssetKey) -> str:
    return "__".join(key.path).replace("-", "_")
