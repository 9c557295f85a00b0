from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import ConnectError, GateClosed, InvalidData
from platform_pipelines.model import Feed
from platform_pipelines.orchestration.failures import failure
from platform_pipelines.orchestration.stages import Outcome
from platform_pipelines.spec.secrets import resolve
from platform_pipelines_tests.orchestration.conftest import CONNECTORS, ORDERS

if TYPE_CHECKING:
    import dagster as dg
    import pytest

    from platform_pipelines_tests.orchestration.conftest import Sandbox

SECRET = "hunter2-very-secret"  # noqa: S105 - it is to be masked


def test_secrets_are_masked_wherever_an_error_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    resolve("${env://SHOP_PASSWORD}")
    foreseen = failure([Outcome(Feed("orders"), error=ConnectError(f"refused: password={SECRET}"))])
    surprise = failure([Outcome(Feed("orders"), error=raised(f"bad value {SECRET}"))])
    assert foreseen.description == "refused: password=***"
    assert surprise.description == "ValueError: bad value ***"
    trace = surprise.metadata["traceback"].value
    assert "ValueError: bad value ***" in trace
    assert SECRET not in str(surprise.metadata) + str(foreseen.metadata)


def test_no_event_of_a_run_holds_a_secret(
    sandbox: Sandbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PG_PASSWORD", SECRET)
    down = 'pg: {type: postgres, dsn: "postgresql://shop:${env://PG_PASSWORD}@127.0.0.1:1/shop"}\n'
    sandbox.write("connectors.yaml", CONNECTORS + down)
    table = "  - {connector: pg, table: raw.orders, mode: append}\nretries: {max: 0}\n"
    sandbox.write("orders.yaml", ORDERS + table)
    job = sandbox.definitions().resolve_job_def("orders")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert {event.step_key for event in result.get_step_failure_events()} == {"orders__pg"}
    assert SECRET not in "".join(str(entry) for entry in instance.all_logs(result.run_id))
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err


def raised(text: str) -> Exception:
    try:
        fail(text)
    except ValueError as error:
        return error
    return AssertionError("it did not fail")


def fail(text: str) -> None:
    raise ValueError(text)


def test_only_passing_faults_are_tried_again() -> None:
    assert failure([Outcome(Feed("orders"), error=ConnectError("down"))]).allow_retries
    assert not failure([Outcome(Feed("orders"), error=InvalidData("bad"))]).allow_retries
    assert not failure([Outcome(Feed("orders"), error=ValueError("surprise"))]).allow_retries


def test_partitions_that_failed_are_named() -> None:
    found = failure(
        [
            Outcome(Feed("orders", "2024-01-01")),
            Outcome(Feed("orders", "2024-01-02"), error=GateClosed("closed on 2024-01-02")),
            Outcome(Feed("orders", "2024-01-03"), error=InvalidData("bad file")),
        ]
    )
    assert found.description == "closed on 2024-01-02\nbad file"
    assert found.metadata["failed_partitions"].value == ["2024-01-02", "2024-01-03"]
    assert found.metadata["error_type"].value == "GateClosed, InvalidData"


def test_of_very_many_errors_some_are_shown() -> None:
    many = [Outcome(Feed("orders", str(day)), error=InvalidData(f"day {day}")) for day in range(50)]
    description = failure(many).description or ""
    assert description.splitlines()[-2:] == ["day 19", "… and 30 more."]


def test_a_passing_fault_is_tried_again_as_often_as_the_yaml_says_and_wrong_data_is_not(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    unreachable = 'pg: {type: postgres, dsn: "postgresql://127.0.0.1:1/shop"}\n'
    sandbox.write("connectors.yaml", CONNECTORS + unreachable)
    table = "  - {connector: pg, table: raw.orders, mode: append}\nretries: {max: 2, delay: 0s}\n"
    sandbox.write("orders.yaml", ORDERS + table)
    gate = "gate: {max_rejected: 0}\n  rules:"
    shut = ORDERS.replace("name: orders", "name: shut").replace("rules:", gate).replace("raw.orders", "raw.shut")
    sandbox.write("shut.yaml", shut + "retries: {max: 2, delay: 0s}\n")
    definitions = sandbox.definitions()

    def tried(job: str) -> list[str | None]:
        found = definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
        assert not found.success
        return [event.step_key for event in found.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]

    assert tried("orders") == ["orders__pg", "orders__pg"]
    assert tried("shut") == []
