from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

LANDING, VALIDATED, WAREHOUSE = (dg.AssetKey(["orders", part]) for part in ("landing", "validated", "warehouse"))
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-04"}
ALL = {"2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"}
SCHEMA = """
import pandera.pandas as pandera

Orders = pandera.DataFrameSchema({"region": pandera.Column(checks=pandera.Check.isin(["eu"]))})
"""
GATE = "  gate: {max_rejected: 0}\n"


def run_job(definitions: dg.Definitions, instance: dg.DagsterInstance, **options: Any) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("orders")
    return job.execute_in_process(instance=instance, raise_on_error=False, **options)


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("__".join(key.path))
    return {name: value.value for name, value in event.metadata.items()}


def with_gate(text: str) -> str:
    return text.replace("destinations:", f"{GATE}destinations:")


def test_a_run_lands_validates_and_loads(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    result = run_job(sandbox.definitions(), instance)
    assert result.success
    assert sandbox.sql("warehouse", "select count(*), sum(amount) from raw.orders") == [(7, 310.5)]


def test_metadata_counts_rows_bytes_and_time(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    result = run_job(sandbox.definitions(), instance)
    landed, validated, loaded = (metadata(result, key) for key in (LANDING, VALIDATED, WAREHOUSE))
    assert (landed["rows_read"], landed["rows_landed"], landed["dagster/row_count"]) == (8, 8, 8)
    assert landed["watermark"] == "2024-01-04T09:00:00"
    assert (validated["rows_valid"], validated["rows_rejected"], validated["rows_flagged"]) == (7, 1, 3)
    assert (loaded["rows_read"], loaded["rows_loaded"], loaded["rows_rejected"]) == (8, 7, 1)
    for found in (landed, validated, loaded):
        assert isinstance(found["seconds"], float)
        assert isinstance(found["rows_per_second"], float)
        assert isinstance(found["bytes"], int)
        assert found["token"] == f"pt-{result.run_id}"


def test_columns_and_their_lineage_are_shown(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write(
        "orders.yaml",
        ORDERS.replace("quality:", "transforms:\n  - map: {id: id, value: amount}\nquality:")
        .replace("amount]", "value]")
        .replace("field: amount", "field: value"),
    )
    result = run_job(sandbox.definitions(), instance)
    assert result.success
    landed, validated, loaded = (metadata(result, key) for key in (LANDING, VALIDATED, WAREHOUSE))
    assert [column.name for column in landed["dagster/column_schema"].columns] == [
        "id",
        "updated_at",
        "amount",
        "region",
    ]
    columns = {column.name: column for column in loaded["dagster/column_schema"].columns}
    assert list(columns) == ["id", "value"]
    assert columns["value"].type == "decimal128(4, 2)"
    assert not columns["value"].constraints.nullable
    assert validated["dagster/column_lineage"].deps_by_column["value"] == [dg.TableColumnDep(LANDING, "amount")]
    assert loaded["dagster/column_lineage"].deps_by_column["value"] == [dg.TableColumnDep(VALIDATED, "value")]


def test_a_run_with_nothing_new_keeps_columns_and_claims_no_rows(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS)
    definitions = sandbox.definitions()
    run_job(definitions, instance)
    result = run_job(definitions, instance)
    assert result.success
    loaded = metadata(result, WAREHOUSE)
    assert loaded["rows_loaded"] == 0
    assert "dagster/row_count" not in loaded
    assert len(loaded["dagster/column_schema"].columns) == 4


def test_checks_record_counts_and_failing_rows(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    checks = {e.check_name: e for e in run_job(sandbox.definitions(), instance).get_asset_check_evaluations()}
    assert not checks["has_amount"].passed
    assert checks["has_amount"].severity == dg.AssetCheckSeverity.ERROR
    assert checks["has_amount"].metadata["failed"].value == 1
    assert checks["has_amount"].metadata["checked"].value == 8
    (row,) = checks["has_amount"].metadata["sample"].records
    assert row.data["id"] == 5
    assert not checks["small"].passed
    assert checks["small"].severity == dg.AssetCheckSeverity.WARN
    assert checks["accounting"].passed
    assert checks["accounting"].metadata["loaded"].value == 7


def test_a_pandera_schema_is_one_check(
    sandbox: Sandbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sandbox.folder / "shop_schemas.py").write_text(SCHEMA, encoding="utf-8")
    monkeypatch.syspath_prepend(sandbox.folder)
    sandbox.write("orders.yaml", ORDERS.replace("quality:", "quality:\n  schema: shop_schemas:Orders"))
    checks = {e.check_name: e for e in run_job(sandbox.definitions(), instance).get_asset_check_evaluations()}
    assert set(checks) == {"has_amount", "small", "schema", "accounting"}
    assert not checks["schema"].passed
    assert checks["schema"].metadata["failed"].value == 4
    assert {row.data["region"] for row in checks["schema"].metadata["sample"].records} == {"us"}


def test_a_check_with_nothing_new_says_so(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    definitions = sandbox.definitions()
    run_job(definitions, instance)
    checks = {e.check_name: e for e in run_job(definitions, instance).get_asset_check_evaluations()}
    assert checks["small"].passed
    assert checks["small"].description == "Nothing new to check."
    assert checks["small"].metadata["checked"].value == 0


def test_in_a_range_a_partition_that_cannot_land_takes_none_along(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    by_region = ORDERS.replace("updated_at, timezone: UTC", "amount")
    sandbox.write("orders.yaml", by_region + DAILY)
    result = run_job(sandbox.definitions(), instance, tags=RANGE)
    assert {event.step_key for event in result.get_step_failure_events()} == {"orders__landing"}
    for key in (LANDING, VALIDATED, WAREHOUSE):
        assert instance.get_materialized_partitions(key) == ALL - {"2024-01-03"}
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(i,) for i in (1, 2, 3, 4, 7, 8)]
    (failure,) = result.get_step_failure_events()
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "Cursor `amount` of stream `main.orders` is NULL" in (data.description or "")


def test_what_is_not_selected_is_not_done_for_the_good_partitions_either(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", with_gate(ORDERS) + DAILY)
    result = run_job(sandbox.definitions(), instance, tags=RANGE, asset_selection=[LANDING, VALIDATED])
    assert not result.success
    assert instance.get_materialized_partitions(VALIDATED) == ALL - {"2024-01-03"}
    assert instance.get_materialized_partitions(WAREHOUSE) == set()


def test_a_closed_gate_fails_before_any_load_and_records_the_checks(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", with_gate(ORDERS))
    result = run_job(sandbox.definitions(), instance)
    assert not result.success
    assert {event.step_key for event in result.get_step_failure_events()} == {"orders__validated"}
    assert {event.step_key for event in result.get_step_skipped_events()} <= {"orders__warehouse"}
    assert instance.get_latest_materialization_event(LANDING) is not None
    assert instance.get_latest_materialization_event(VALIDATED) is None
    assert instance.get_latest_materialization_event(WAREHOUSE) is None
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == {"has_amount": False, "small": False}
    (failure,) = result.get_step_failure_events()
    error = failure.step_failure_data.user_failure_data
    assert error is not None
    assert "The gate of `orders` closed" in (error.description or "")
    assert error.metadata["gate"].value == "closed"


def test_a_held_batch_can_be_released_from_the_launchpad(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", with_gate(ORDERS))
    definitions = sandbox.definitions()
    assert not run_job(definitions, instance).success
    options = {"ops": {"orders__validated": {"config": {"held_batch": "release"}}}}
    assert run_job(definitions, instance, run_config=options).success
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]


def test_a_full_refresh_can_be_asked_for_in_the_launchpad(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    definitions = sandbox.definitions()
    run_job(definitions, instance)
    sandbox.sql("shop", "delete from orders where id = 8")
    result = run_job(definitions, instance, run_config={"ops": {"orders__landing": {"config": {"full_refresh": True}}}})
    assert metadata(result, LANDING)["rows_read"] == 7
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(6,)]


def test_a_failing_destination_holds_back_no_other(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    second = (
        "  - {connector: broken, table: raw.orders, mode: append}\n  - {connector: copy, table: orders, mode: append}\n"
    )
    sandbox.write("orders.yaml", f"{ORDERS}{second}retries: {{max: 0}}\n")
    result = run_job(sandbox.definitions(), instance)
    assert not result.success
    assert {event.step_key for event in result.get_step_failure_events()} == {"orders__broken"}
    assert instance.get_latest_materialization_event(WAREHOUSE) is not None
    assert instance.get_latest_materialization_event(dg.AssetKey(["orders", "copy"])) is not None
    assert sandbox.sql("copy", "select count(*) from orders") == [(7,)]


def test_passing_faults_are_tried_again_and_others_are_not(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    second = "  - {connector: broken, table: raw.orders, mode: append}\n"
    sandbox.write("orders.yaml", f"{with_gate(ORDERS)}{second}retries: {{max: 2, delay: 0s}}\n")
    definitions = sandbox.definitions()
    gate = run_job(definitions, instance)
    assert not gate.retry_attempts_for_node("orders__validated")
    sandbox.sql("shop", "update orders set amount = 1 where amount is null")
    result = run_job(definitions, instance, run_config={"ops": {"orders__landing": {"config": {"full_refresh": True}}}})
    assert result.retry_attempts_for_node("orders__broken") == 2


@pytest.mark.parametrize("partition", ["2024-01-01", "2024-01-03"])
def test_a_partition_runs_by_itself(sandbox: Sandbox, instance: dg.DagsterInstance, partition: str) -> None:
    sandbox.write("orders.yaml", with_gate(ORDERS) + DAILY)
    result = run_job(sandbox.definitions(), instance, partition_key=partition)
    assert result.success == (partition == "2024-01-01")
    materialized = instance.get_materialized_partitions(VALIDATED)
    assert materialized == ({"2024-01-01"} if result.success else set())
    assert instance.get_materialized_partitions(LANDING) == {partition}


def test_a_range_is_one_run_with_figures_for_each_partition(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    result = run_job(sandbox.definitions(), instance, tags=RANGE)
    assert result.success
    for key in (LANDING, VALIDATED, WAREHOUSE):
        assert instance.get_materialized_partitions(key) == ALL
    events = result.asset_materializations_for_node("orders__warehouse")
    rows = {event.partition: event.metadata["dagster/partition_row_count"].value for event in events}
    assert rows == {"2024-01-01": 2, "2024-01-02": 2, "2024-01-03": 1, "2024-01-04": 2}


def test_in_a_range_only_the_partition_behind_a_closed_gate_fails(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", with_gate(ORDERS) + DAILY)
    result = run_job(sandbox.definitions(), instance, tags=RANGE)
    assert not result.success
    assert instance.get_materialized_partitions(LANDING) == ALL
    assert instance.get_materialized_partitions(VALIDATED) == ALL - {"2024-01-03"}
    assert instance.get_materialized_partitions(WAREHOUSE) == ALL - {"2024-01-03"}
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(i,) for i in (1, 2, 3, 4, 7, 8)]
    definition = sandbox.definitions().resolve_assets_def(VALIDATED).partitions_def
    assert definition is not None
    for key in (VALIDATED, WAREHOUSE):
        status = instance.get_status_by_partition(key, sorted(ALL), definition)
        assert status is not None
        assert {name for name, value in status.items() if value is not None and value.name == "FAILED"} == {
            "2024-01-03"
        }
    checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert checks["has_amount"].metadata["failed_partitions"].value == ["2024-01-03"]
    assert checks["accounting"].passed
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data.metadata["failed_partitions"].value == ["2024-01-03"]
