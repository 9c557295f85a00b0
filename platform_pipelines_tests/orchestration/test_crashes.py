"""Die before or after an event is Dagster's, run again by the command line's engine: equal to one clean run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines.engine import RunRequest, run, status
from platform_pipelines_tests.orchestration.conftest import ORDERS
from platform_pipelines_tests.torture.crash import Bomb, Crash, Recorder, hooked
from platform_pipelines_tests.torture.elsewhere import excused

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.orchestration.conftest import Sandbox

QUERY = "select * from raw.orders order by id"


def test_dead_around_every_event(sandbox: Sandbox, cases: Callable[[str, int], None]) -> None:
    sandbox.write("orders.yaml", ORDERS)
    recorder = Recorder()
    with hooked(recorder):
        _materialize(sandbox)
    events = [n for n, point in enumerate(recorder.points) if point.kind == "event"]
    assert len(events) >= 10
    assert excused("test_crashes.py::test_dead_around_every_event") <= {recorder.points[n].site for n in events}
    cases("deaths around events of Dagster", len(events))
    wanted = sandbox.sql("warehouse", QUERY)
    assert len(wanted) == 7
    for number in events:
        shutil.rmtree(sandbox.folder / "store")
        (sandbox.folder / "warehouse.duckdb").unlink(missing_ok=True)
        with hooked(Bomb(number)), pytest.raises(Crash):
            _materialize(sandbox)
        (killed,) = status(sandbox.project(), "orders")
        assert killed.status in {"failed", "success"}, "not running: the process is gone"
        report = run(sandbox.project(), RunRequest("orders"))
        assert report.error is None
        assert sandbox.sql("warehouse", QUERY) == wanted, recorder.points[number]


def _materialize(sandbox: Sandbox) -> None:
    job = sandbox.definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
