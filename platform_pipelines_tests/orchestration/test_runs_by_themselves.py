from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.model import Feed
from platform_pipelines.orchestration import sensors
from platform_pipelines.orchestration.jobs import Target
from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

TICK = dt.datetime(2024, 1, 3, 6, tzinfo=dt.UTC)
SCHEDULE = "schedule: {cron: '0 */6 * * *', timezone: Europe/Paris}\n"
OPEN = DAILY.replace(", end: 2024-01-05", ", lookback: 2")


def tick(definitions: dg.Definitions, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    schedule = definitions.resolve_schedule_def("orders_schedule")
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=TICK, repository_def=definitions.get_repository_def()
    )
    return list(schedule.evaluate_tick(context).run_requests or [])


def test_a_schedule_runs_in_its_zone_from_the_start(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + SCHEDULE)
    schedule = sandbox.definitions().resolve_schedule_def("orders_schedule")
    assert schedule.cron_schedule == "0 */6 * * *"
    assert schedule.execution_timezone == "Europe/Paris"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == "orders"


def test_a_tick_asks_for_one_run_however_often_it_is_evaluated(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + SCHEDULE)
    definitions = sandbox.definitions()
    (first,), (second,) = tick(definitions, instance), tick(definitions, instance)
    assert first.partition_key is None
    assert first.run_key == second.run_key == "2024-01-03T06:00:00+00:00"


def test_by_time_a_tick_asks_for_the_newest_partition_and_those_before(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS + OPEN + SCHEDULE)
    requests = tick(sandbox.definitions(), instance)
    assert [request.partition_key for request in requests] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert len({request.run_key for request in requests}) == 3


def test_by_value_a_tick_asks_for_all(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    by_value = "partitions: {by: value, field: region, values: [eu, us]}\n"
    sandbox.write("orders.yaml", ORDERS + by_value + SCHEDULE)
    assert [request.partition_key for request in tick(sandbox.definitions(), instance)] == ["eu", "us"]


def test_value_partitions_run(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + "partitions: {by: value, field: region, values: [eu, us]}\n")
    job = sandbox.definitions().resolve_job_def("orders")
    assert job.execute_in_process(instance=instance, partition_key="us").success
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(2,), (4,), (6,), (8,)]


def test_a_timeout_ends_runs_of_the_job(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + "timeout: 1h\n")
    assert sandbox.definitions().resolve_job_def("orders").run_tags["dagster/max_runtime"] == "3600"


@pytest.mark.parametrize(("setting", "expected"), [("all", {"orders", "daily"}), ("scheduled", {"daily"}), ("", None)])
def test_which_pipelines_get_a_job_is_a_setting(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, setting: str, expected: set[str] | None
) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("daily.yaml", ORDERS.replace("name: orders", "name: daily") + SCHEDULE)
    monkeypatch.setenv("PIPELINES_JOBS", setting)
    assert jobs(sandbox.definitions()) == (expected or {"orders", "daily"})


def jobs(definitions: dg.Definitions) -> set[str]:
    names = definitions.get_repository_def().job_names
    return {name for name in names if not name.startswith("__")}


def test_an_unknown_setting_for_jobs_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_JOBS", "some")
    with pytest.raises(SpecError, match=r"PIPELINES_JOBS=some is not allowed\. Allowed: all, scheduled, none"):
        sandbox.definitions()


def test_without_a_job_of_its_own_a_pipeline_is_scheduled_by_its_assets(
    sandbox: Sandbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write("orders.yaml", ORDERS + OPEN + SCHEDULE + "timeout: 2m\n")
    sandbox.write(
        "other.yaml", ORDERS.replace("name: orders", "name: other").replace("raw.o", "raw.other_o") + SCHEDULE
    )
    monkeypatch.setenv("PIPELINES_JOBS", "none")
    definitions = sandbox.definitions()
    assert jobs(definitions) == set()
    request = tick(definitions, instance)[0]
    assert request.tags["dagster/partition"] == "2024-01-01"
    assert request.tags["dagster/max_runtime"] == "120"
    job = definitions.resolve_implicit_global_asset_job_def()
    assert request.asset_selection is not None
    result = job.execute_in_process(
        instance=instance, asset_selection=list(request.asset_selection), tags=dict(request.tags)
    )
    assert result.success
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(1,), (2,)]


def test_above_the_limit_only_pipelines_that_need_a_job_get_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_pipelines.orchestration.jobs.LIMIT", 1)
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("daily.yaml", ORDERS.replace("name: orders", "name: daily") + SCHEDULE)
    assert jobs(sandbox.definitions()) == {"daily"}


def test_a_sensor_runs_just_the_partitions_that_changed(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY.replace("}", ", detect_changes: true}"))
    definitions = sandbox.definitions()
    sensor = definitions.resolve_sensor_def("orders_changes")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING

    def asked() -> list[str | None]:
        context = dg.build_sensor_context(instance, definitions=definitions)
        return [request.partition_key for request in sensor.evaluate_tick(context).run_requests or []]

    assert asked() == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    job = definitions.resolve_job_def("orders")
    for key in ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"):
        assert job.execute_in_process(instance=instance, partition_key=key).success
    assert asked() == []
    sandbox.sql("shop", "insert into orders values (9, timestamp '2024-01-02 23:00:00', 1, 'eu')")
    assert asked() == ["2024-01-02"]


def test_a_partition_that_is_being_run_is_not_asked_for_again(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY.replace("}", ", detect_changes: true}"))
    definitions = sandbox.definitions()
    job = definitions.resolve_job_def("orders")
    instance.create_run_for_job(job, tags={"dagster/partition": "2024-01-02"}, status=dg.DagsterRunStatus.STARTED)
    context = dg.build_sensor_context(instance, definitions=definitions)
    requests = definitions.resolve_sensor_def("orders_changes").evaluate_tick(context).run_requests or []
    assert [request.partition_key for request in requests] == ["2024-01-01", "2024-01-03", "2024-01-04"]


def test_a_partition_whose_runs_fail_rests_longer_each_time(
    sandbox: Sandbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "0")
    sandbox.write("orders.yaml", ORDERS + "retries: {max: 0}\n" + DAILY.replace("}", ", detect_changes: true}"))
    definitions = sandbox.definitions()
    job, sensor = definitions.resolve_job_def("orders"), definitions.resolve_sensor_def("orders_changes")

    def asked() -> tuple[list[str | None], str | None]:
        found = sensor.evaluate_tick(dg.build_sensor_context(instance, definitions=definitions))
        return [request.partition_key for request in found.run_requests or []], found.skip_message

    for key in ("2024-01-01", "2024-01-03", "2024-01-04"):
        assert job.execute_in_process(instance=instance, partition_key=key).success
    assert asked() == (["2024-01-02"], None)
    with sandbox.project().store.feed(Feed("orders", "2024-01-02")).lock("another run"):
        for _ in range(2):
            assert not job.execute_in_process(
                instance=instance, partition_key="2024-01-02", raise_on_error=False
            ).success
    requests, reason = asked()
    assert requests == []
    assert (reason or "").startswith("Their last runs failed; they are run again: 2024-01-02 from ")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2 * sensors.INTERVAL + 1)
    assert sensors._resting(instance, Target(sandbox.project().pipeline("orders"), own=True), later) == {}
    monkeypatch.setattr(sensors, "INTERVAL", 0)
    assert asked() == (["2024-01-02"], None)
