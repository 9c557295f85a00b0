"""A run in Dagster has the same record for `pipelines status` as one in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.engine import RunRequest, run, status
from platform_pipelines_tests.orchestration.conftest import ORDERS

if TYPE_CHECKING:
    import dagster as dg

    from platform_pipelines.engine.runhistory import RunSummary
    from platform_pipelines_tests.orchestration.conftest import Sandbox

GATE = "quality:\n  gate: {max_rejected: 0}\n"
DOWN = "  - {connector: broken, table: raw.orders, mode: append}\nretries: {max: 0}\n"


def by_dagster(sandbox: Sandbox, instance: dg.DagsterInstance) -> RunSummary:
    job = sandbox.definitions().resolve_job_def("orders")
    token = f"pt-{job.execute_in_process(instance=instance, raise_on_error=False).run_id}"
    (summary,) = status(sandbox.project(), token)
    return summary


def by_hand(sandbox: Sandbox) -> RunSummary:
    report = run(sandbox.project(), RunRequest("again"))
    (summary,) = status(sandbox.project(), report.token)
    return summary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ORDERS, ["success", "nothing_new"]),
        (ORDERS.replace("quality:\n", GATE), ["gate_closed"]),
        (ORDERS + DOWN, ["partial"]),
    ],
)
def test_it_ends_and_counts_as_one_in_this_process(
    sandbox: Sandbox, instance: dg.DagsterInstance, text: str, expected: list[str]
) -> None:
    sandbox.write("orders.yaml", text)
    sandbox.write("again.yaml", text.replace("name: orders", "name: again").replace("raw.orders", "raw.again"))
    for each in expected:
        found, known = by_dagster(sandbox, instance), by_hand(sandbox)
        assert (found.status, known.status) == (each, each)
        assert {**found.rows, "loaded": None} == {**known.rows, "loaded": None}
        assert found.rows["loaded"].items() <= known.rows["loaded"].items()
        assert sum(found.rows["loaded"].values()) == sum(known.rows["loaded"].values())
        assert found.ended_at is not None
        assert found.seconds == round(found.ended_at - found.started_at, 3)
        assert (found.error is None) == (known.error is None)


def test_what_never_landed_failed(sandbox: Sandbox, instance: dg.DagsterInstance) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("connector: shop", "connector: broken", 1) + "retries: {max: 0}\n")
    found = by_dagster(sandbox, instance)
    assert (found.status, found.rows["read"], found.rows["loaded"]) == ("failed", 0, {})
    assert "broken.duckdb" in str(found.error)
    assert found.ended_at is not None
