from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

REPORT = """
name: report
source: {connector: warehouse, stream: raw.orders, mode: full_refresh}
destinations:
  - {connector: copy, table: report, mode: replace}
triggers: {after: [orders]}
"""
LANDING, VALIDATED, COPY = (dg.AssetKey(["report", part]) for part in ("landing", "validated", "copy"))
DAYS = "partitions: {by: day, field: updated_at, start: 2024-01-01, lookback: 1}\n"
NOW = dt.datetime(2024, 1, 6, 12, tzinfo=dt.UTC)


def test_landing_depends_on_what_it_waits_for(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT)
    graph = sandbox.definitions().resolve_asset_graph()
    assert graph.get(LANDING).parent_keys == {dg.AssetKey(["orders", "warehouse"])}


def test_the_sensor_of_triggers_runs_without_being_switched_on(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT)
    sensor = sandbox.definitions().resolve_sensor_def("pipeline_triggers")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_without_triggers_there_is_no_such_sensor(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    assert not sandbox.definitions().get_repository_def().sensor_defs


def test_a_load_upstream_runs_the_whole_pipeline_once(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT)
    definitions = sandbox.definitions()
    before = dg.evaluate_automation_conditions(definitions, instance)
    assert before.total_requested == 0
    assert definitions.resolve_job_def("orders").execute_in_process(instance=instance).success
    after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
    assert [after.get_num_requested(key) for key in (LANDING, VALIDATED, COPY)] == [1, 1, 1]
    assert after.total_requested == 3
    assert definitions.resolve_job_def("report").execute_in_process(instance=instance).success
    assert dg.evaluate_automation_conditions(definitions, instance, cursor=after.cursor).total_requested == 0
    assert sandbox.sql("copy", "select count(*) from report") == [(7,)]


def test_what_is_wiped_upstream_is_waited_for_again(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("more.yaml", ORDERS.replace("name: orders", "name: more").replace("raw.orders", "raw.more"))
    sandbox.write("report.yaml", REPORT.replace("[orders]", "[orders, more]"))
    definitions = sandbox.definitions()
    cursor = None
    for wiped, pipeline, runs in ((False, "orders", 0), (False, "more", 3), (True, "orders", 0), (False, "more", 3)):
        if wiped:
            instance.wipe_assets([dg.AssetKey([name, "warehouse"]) for name in ("orders", "more")] + [COPY])
            nothing = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
            assert nothing.total_requested == 0
            cursor = nothing.cursor
        assert definitions.resolve_job_def(pipeline).execute_in_process(instance=instance).success
        found = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
        assert found.total_requested == runs
        cursor = found.cursor
        if runs:
            assert definitions.resolve_job_def("report").execute_in_process(instance=instance).success
            assert sandbox.sql("copy", "select count(*) from report") == [(7,)]


def test_landing_by_hand_runs_nothing_else(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT)
    definitions = sandbox.definitions()
    definitions.resolve_job_def("orders").execute_in_process(instance=instance)
    cursor = dg.evaluate_automation_conditions(definitions, instance).cursor
    cursor = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor).cursor
    definitions.resolve_job_def("report").execute_in_process(instance=instance, asset_selection=[LANDING])
    assert dg.evaluate_automation_conditions(definitions, instance, cursor=cursor).total_requested == 0


def test_by_time_a_trigger_runs_what_never_ran_and_the_newest_with_lookback(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT + DAYS)
    definitions = sandbox.definitions()
    before = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=NOW)
    definitions.resolve_job_def("orders").execute_in_process(instance=instance)
    first = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor, evaluation_time=NOW)
    days = {f"2024-01-0{day}" for day in range(1, 7)}
    for key in (LANDING, VALIDATED, COPY):
        assert first.get_requested_partitions(key) == days
    for day in sorted(days):
        instance.report_runless_asset_event(dg.AssetMaterialization(LANDING, partition=day))
    ran = dg.evaluate_automation_conditions(definitions, instance, cursor=first.cursor, evaluation_time=NOW)
    assert ran.get_requested_partitions(LANDING) == set()
    definitions.resolve_job_def("orders").execute_in_process(instance=instance)
    second = dg.evaluate_automation_conditions(definitions, instance, cursor=ran.cursor, evaluation_time=NOW)
    assert second.get_requested_partitions(LANDING) == {"2024-01-05", "2024-01-06"}


def test_a_partition_that_is_missing_upstream_holds_nothing_back(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    sandbox.write("report.yaml", REPORT)
    definitions = sandbox.definitions()
    before = dg.evaluate_automation_conditions(definitions, instance)
    definitions.resolve_job_def("orders").execute_in_process(instance=instance, partition_key="2024-01-02")
    after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
    assert [after.get_num_requested(key) for key in (LANDING, VALIDATED, COPY)] == [1, 1, 1]


def test_a_day_waits_for_that_day_upstream(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    sandbox.write("report.yaml", REPORT + DAYS)
    definitions = sandbox.definitions()
    before = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=NOW)
    definitions.resolve_job_def("orders").execute_in_process(instance=instance, partition_key="2024-01-02")
    after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor, evaluation_time=NOW)
    for key in (LANDING, VALIDATED, COPY):
        assert after.get_requested_partitions(key) == {"2024-01-02"}


def test_a_partitioned_pipeline_may_wait_for_one_with_other_partitions(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    sandbox.write(
        "report.yaml", REPORT + DAYS.replace("by: day", "by: month").replace("start: 2024-01-01", "start: 2023-11-01")
    )
    sandbox.write(
        "regions.yaml",
        REPORT.replace("name: report", "name: regions").replace("table: report", "table: r")
        + "partitions: {by: value, field: region, values: [eu, us]}\n",
    )
    graph = sandbox.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey(["regions", "landing"])).parent_keys == {dg.AssetKey(["orders", "warehouse"])}
