from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from platform_pipelines import collector
from platform_pipelines.orchestration.bodies import landing_body, validation_body
from platform_pipelines.orchestration.operations import asset_definition
from platform_pipelines.orchestration.options import LandingOptions, ValidationOptions
from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox


def decorated(asset: dg.AssetSpec, options: type[dg.Config], checks: list[dg.AssetCheckSpec]) -> dg.AssetsDefinition:
    """What Dagster's decorator makes of the same asset."""

    def run(context: Any, config: Any) -> Any:
        del context, config
        yield dg.MaterializeResult(asset_key=asset.key)

    run.__annotations__ = {"context": dg.AssetExecutionContext, "config": options}
    decorate = dg.multi_asset(
        name="__".join(asset.key.path),
        specs=[asset],
        check_specs=checks,
        pool="one",
        backfill_policy=dg.BackfillPolicy.single_run() if asset.partitions_def is not None else None,
    )
    return decorate(run)


def shown(definition: dg.AssetsDefinition) -> dict[str, Any]:
    """Everything about a step that its run, the launchpad or the asset graph sees."""
    step = definition.op
    fields = step.config_schema.config_type.fields
    return {
        "name": step.name,
        "ins": [each.dagster_type.display_name for each in step.ins.values()],
        "outs": {name: (each.dagster_type.display_name, each.is_required) for name, each in step.outs.items()},
        "config": {
            name: (
                field.config_type.given_name or field.config_type.key,
                field.default_value_as_json_str,
                field.description,
            )
            for name, field in fields.items()
        },
        "pool": step.pool,
        "waits for": list(definition.keys_by_input_name.values()),
        "makes": dict(definition.keys_by_output_name),
        "checks": definition.check_specs_by_output_name,
        "backfill": definition.backfill_policy,
        "specs": list(definition.specs),
    }


def test_a_step_is_the_one_that_the_decorator_makes(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    project = sandbox.project()
    spec = project.pipeline("orders")
    days = dg.DailyPartitionsDefinition("2024-01-01")
    landing = dg.AssetSpec(
        ["orders", "landing"], deps=[dg.AssetKey(["air-lines", "lake"])], partitions_def=days, skippable=True
    )
    validated = dg.AssetSpec(["orders", "validated"], deps=[landing.key], description="Rows.", metadata={"a": 1})
    checks = [dg.AssetCheckSpec("small", asset=validated.key), dg.AssetCheckSpec("once", asset=validated.key)]
    with collector.kept():
        ours = asset_definition(landing, landing_body(project, spec), pool="one")
        judged = asset_definition(validated, validation_body(project, spec), pool="one", checks=checks)
    assert shown(ours) == shown(decorated(landing, LandingOptions, []))
    assert shown(judged) == shown(decorated(validated, ValidationOptions, checks))
    assert ours.backfill_policy is not None
    assert json.loads(shown(ours)["config"]["full_refresh"][1]) is False


def test_the_collector_rests_while_definitions_are_made_and_works_again_afterwards() -> None:
    assert gc.isenabled()
    with collector.kept():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with collector.kept():
            assert not gc.isenabled()
        assert not gc.isenabled()  # whoever switched it off decides when it works again
    finally:
        gc.enable()
        gc.unfreeze()
