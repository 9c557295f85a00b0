"""What Dagster shows of transforms: counts of each, and a warning for one that was skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines_tests.orchestration.conftest import ORDERS

if TYPE_CHECKING:
    import dagster as dg

    from platform_pipelines_tests.orchestration.conftest import Sandbox

TRANSFORMS = """
transforms:
  - {label: Hide, mask: {region: redact}, at: landing}
  - {label: Big, filter: amount > 15}
  - {label: Broken, required: false, sql: "select cast(region as int) as n from input"}
"""


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(f"orders__{asset}")
    return {name: value.value for name, value in event.metadata.items()}


def table(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = [record.data for record in found["transforms"].records]
    return {row["transform"]: {name: row[name] for name in row if name not in {"seconds", "transform"}} for row in rows}


def test_counts_of_each_transform_are_metadata(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + TRANSFORMS)
    job = sandbox.definitions().resolve_job_def("orders")
    result = job.execute_in_process(instance=instance)
    none = {"dropped": 0, "added": 0, "rejected": 0, "skipped": 0, "note": "", "error": ""}
    landed, validated = table(metadata(result, "landing")), table(metadata(result, "validated"))
    assert landed == {"Hide": {"kind": "mask", "rows_in": 8, "rows_out": 8} | none}
    assert validated["Big"] == {"kind": "filter", "rows_in": 8, "rows_out": 6} | none | {"dropped": 2}
    broken = validated["Broken"]
    assert "Could not convert" in broken["error"]
    assert broken | {"error": ""} == {"kind": "sql", "rows_in": 6, "rows_out": 6} | none | {"skipped": 1}
    assert metadata(result, "validated")["transforms_skipped"] == 1


def test_a_skipped_transform_is_a_warning_in_the_log(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + TRANSFORMS)
    result = sandbox.definitions().resolve_job_def("orders").execute_in_process(instance=instance)
    warnings = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.level == 30]
    assert [text for text in warnings if text.startswith("Transform `Broken` of orders was skipped: ")]
