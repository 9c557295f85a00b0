"""A run of a partitioned pipeline that was given no partition, as ``dagster job execute`` starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

DAYS = [f"2024-01-0{day}" for day in range(1, 5)]
ASSETS = ("landing", "validated", "warehouse")
COPY = "  - {connector: copy, table: orders, mode: append}\n"


def run_job(sandbox: Sandbox, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = sandbox.definitions().resolve_job_def("orders")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def made(result: dg.ExecuteInProcessResult, asset: str) -> list[str | None]:
    events = result.all_events
    return [e.partition for e in events if e.is_step_materialization and e.asset_key == dg.AssetKey(["orders", asset])]


def test_it_takes_those_that_never_ran_and_then_the_newest_ones(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    first = run_job(sandbox, instance)
    assert first.success
    assert [made(first, asset) for asset in ASSETS] == [DAYS, DAYS, DAYS]
    assert {e.check_name: e.passed for e in first.get_asset_check_evaluations()} == {
        "has_amount": False, "small": False, "accounting": True,
    }  # fmt: skip
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    second = run_job(sandbox, instance)
    assert second.success
    assert [made(second, asset) for asset in ASSETS] == [DAYS[2:], DAYS[2:], DAYS[2:]]
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]


def test_a_partition_that_fails_takes_no_other_along(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", "quality:\n  gate: {max_rejected: 0}\n") + DAILY)
    result = run_job(sandbox, instance)
    assert not result.success
    (failed,) = result.get_step_failure_events()
    assert "2024-01-03" in str(failed.step_failure_data.error)
    assert [made(result, asset) for asset in ASSETS] == [DAYS, [*DAYS[:2], DAYS[3]], [*DAYS[:2], DAYS[3]]]
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(6,)]


def test_what_a_destination_missed_is_brought_by_the_next_run(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + COPY + DAILY + "retries: {max: 0}\n")
    (sandbox.folder / "copy.duckdb").write_text("no database")
    assert not run_job(sandbox, instance).success
    (sandbox.folder / "copy.duckdb").unlink()
    second = run_job(sandbox, instance)
    assert second.success
    assert [made(second, asset) for asset in ASSETS] == [DAYS[2:]] * 3
    assert sorted(map(str, made(second, "copy"))) == DAYS
    for _ in range(2):
        assert sandbox.sql("copy", "select count(*), count(distinct id) from orders") == [(7, 7)]
        third = run_job(sandbox, instance)
        assert made(third, "copy") == DAYS[2:]


@pytest.mark.parametrize("damaged", [DAYS[0], DAYS[2]], ids=["not due", "due"])
def test_a_damaged_log_holds_up_no_other_partition_that_a_destination_missed(
    sandbox: Sandbox, instance: dg.DagsterInstance, damaged: str
) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY + "retries: {max: 0}\n")
    assert run_job(sandbox, instance).success
    (sandbox.folder / f"store/orders/feeds/p-{damaged}/e000001/000001.json").write_text("{}")
    sandbox.write("orders.yaml", ORDERS + COPY + DAILY + "retries: {max: 0}\n")
    result = run_job(sandbox, instance)
    (failed,) = result.get_step_failure_events()
    assert f"--reset --partition {damaged}" in str(failed.step_failure_data.error)
    assert sorted(map(str, made(result, "copy"))) == [day for day in DAYS if day != damaged]


def test_what_a_destination_missed_is_not_brought_by_a_run_without_it(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    assert run_job(sandbox, instance).success
    sandbox.write("orders.yaml", ORDERS + COPY + DAILY)
    job = sandbox.definitions().resolve_job_def("orders")
    partly = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["orders", a]) for a in ASSETS])
    assert partly.success
    assert not (sandbox.folder / "copy.duckdb").exists()


def test_a_partition_that_is_given_is_the_only_one(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    job = sandbox.definitions().resolve_job_def("orders")
    result = job.execute_in_process(instance=instance, partition_key=DAYS[1])
    assert [made(result, asset) for asset in ASSETS] == [[DAYS[1]]] * 3
    assert not [event for event in result.all_events if event.event_type_value == "STEP_SKIPPED"]
