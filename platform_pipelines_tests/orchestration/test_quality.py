"""Score, approval, alert, reconciliation and profile as Dagster shows them and acts on them."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import dagster as dg
from PIL import Image

from platform_pipelines.engine import approve, dead_letters, waiting
from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

QUALITY = "quality:\n  approval: {min_score: 0.95, deadline: 1h}\n  alert: {max_dead_letters: 0}\n"
SAME = "    - {id: same, type: reconciliation, sums: [amount], severity: warning}\n"
BY_REGION = "partitions: {by: value, field: region, values: [eu, us]}\n"


def run_job(sandbox: Sandbox, instance: dg.DagsterInstance, **options: Any) -> dg.ExecuteInProcessResult:
    job = sandbox.definitions().resolve_job_def("orders")
    return job.execute_in_process(instance=instance, raise_on_error=False, **options)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def tick(sandbox: Sandbox, instance: dg.DagsterInstance, sensor: str, cursor: str | None = None) -> Any:
    definitions = sandbox.definitions()
    context = dg.build_sensor_context(instance, cursor=cursor, definitions=definitions)
    return definitions.resolve_sensor_def(sensor).evaluate_tick(context)


def test_a_low_score_waits_for_a_person_and_the_sensor_runs_what_was_approved(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", QUALITY) + BY_REGION)
    result = run_job(sandbox, instance, partition_key="eu")
    assert not result.success
    score = checks(result)["quality_score"]
    token = f"pt-{result.run_id}"
    assert (score.passed, score.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"`pipelines approve orders {token}`" in str(score.description)
    assert score.metadata["min_score"].value == 0.95
    assert tick(sandbox, instance, "orders_approvals").run_requests == []
    approve(sandbox.project(), "orders", token, by="ada")
    (request,) = tick(sandbox, instance, "orders_approvals").run_requests
    assert request.partition_key == "eu"
    assert tick(sandbox, instance, "orders_approvals").run_requests[0].run_key == request.run_key
    assert run_job(sandbox, instance, partition_key="eu").success
    assert waiting(sandbox.project(), "orders") == []
    assert sandbox.sql("warehouse", "select id from raw.orders order by id") == [(1,), (3,), (7,)]


def test_the_run_that_the_sensor_asks_for_loads_what_was_approved_also_where_everything_is_read_each_time(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    whole = ORDERS.replace("  mode: incremental\n  cursor: {field: updated_at, timezone: UTC}\n", "")
    sandbox.write(
        "orders.yaml", whole.replace("quality:\n", QUALITY).replace("mode: merge, key: [id]", "mode: replace")
    )
    result = run_job(sandbox, instance)
    approve(sandbox.project(), "orders", f"pt-{result.run_id}", by="ada")
    (request,) = tick(sandbox, instance, "orders_approvals").run_requests
    assert run_job(sandbox, instance, run_config=request.run_config).success
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    assert tick(sandbox, instance, "orders_approvals").run_requests == []


def test_a_deadline_that_has_passed_starts_a_run_that_cancels_the_load(
    sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", QUALITY.replace("deadline: 1h", "deadline: 1ms")))
    assert not run_job(sandbox, instance).success
    assert len(tick(sandbox, instance, "orders_approvals").run_requests) == 1
    assert run_job(sandbox, instance).success
    assert tick(sandbox, instance, "orders_approvals").run_requests == []
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(0,)]
    assert {letter["rule"] for letter in dead_letters(sandbox.project(), "orders")} >= {"discarded"}


def test_a_good_score_passes(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", QUALITY.replace("0.95", "0.5")))
    assert checks(run_job(sandbox, instance))["quality_score"].passed


def test_dead_letters_alert_by_the_run_and_by_the_sensor(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", QUALITY.replace("0.95", "0.5")))
    quiet = tick(sandbox, instance, "orders_dead_letters")
    assert (quiet.asset_events, quiet.cursor) == ([], "passed")
    check = checks(run_job(sandbox, instance))["dead_letters"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["dead_letters"].value == 1
    found = tick(sandbox, instance, "orders_dead_letters", "passed")
    (event,) = found.asset_events
    assert (event.check_name, event.passed, found.cursor) == ("dead_letters", False, "failed")
    assert tick(sandbox, instance, "orders_dead_letters", "failed").asset_events == []


def test_reconciliation_is_a_check_of_the_destination(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("destinations:", SAME + "destinations:") + DAILY)
    good = checks(run_job(sandbox, instance, partition_key="2024-01-01"))["same"]
    assert (good.passed, good.asset_key) == (True, dg.AssetKey(["orders", "warehouse"]))
    result = run_job(sandbox, instance, partition_key="2024-01-03")
    bad = checks(result)["same"]
    assert (result.success, bad.passed, bad.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert "rows: 1 at the source, 0 loaded" in str(bad.description)
    assert bad.metadata["failed_partitions"].value == ["2024-01-03"]


def test_a_profile_is_a_table_with_pictures(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("quality:\n", "quality:\n  profile: true\n"))
    (event,) = run_job(sandbox, instance).asset_materializations_for_node("orders__validated")
    text = str(event.metadata["profile"].value)
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()[2:]}
    assert list(lines) == ["id", "updated\\_at", "amount", "region"]
    assert " | 0 | 7 | 10.50 | 80.00 | " in lines["amount"]
    picture = lines["amount"].split("base64,")[1].rstrip(") |")
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (160, 32)
