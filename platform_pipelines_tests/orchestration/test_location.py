"""A process that executes a run is given the job of that run, made without the other pipelines."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan

from platform_pipelines.errors import SpecError
from platform_pipelines.orchestration.jobs import COMMON
from platform_pipelines.orchestration.location import Location
from platform_pipelines_tests.orchestration.conftest import DAILY, ORDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.orchestration.conftest import Sandbox

BROKEN = "name: broken\nsource: {connector: nowhere, stream: x}\n"
REPORT = ORDERS.replace("name: orders", "name: report").replace("raw.orders", "raw.report")
PARTS = ("landing", "validated", "warehouse")


@pytest.fixture
def location(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Location]:
    monkeypatch.setenv("PIPELINES_DEFS", str(sandbox.folder / "defs"))
    monkeypatch.setenv("PIPELINES_STORE", str(sandbox.folder / "store"))
    return Location


def keys(*pipelines: str) -> set[dg.AssetKey]:
    return {dg.AssetKey([name, part]) for name in pipelines for part in PARTS}


def test_a_run_needs_nothing_of_other_pipelines(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    sandbox.write("sales/orders.yaml", ORDERS)
    sandbox.write("broken.yaml", BROKEN)
    repository = location().get_repository_def()
    for job in (
        repository.get_maybe_subset_job_def("orders"),
        repository.get_maybe_subset_job_def(COMMON, asset_selection=keys("orders")),
    ):
        assert {key for key in job.asset_layer.executable_asset_keys if key.path[0] == "orders"} == keys("orders")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    assert sandbox.sql("warehouse", "select count(*) from raw.orders") == [(7,)]
    with pytest.raises(SpecError, match=r"broken\.yaml"):
        repository.load_all_definitions()


@pytest.mark.parametrize("file", ["orders.yaml", "a_file_of_another_name.yml"])
def test_a_job_is_the_same_as_among_all(sandbox: Sandbox, location: Callable[[], Location], file: str) -> None:
    sandbox.write(file, ORDERS + DAILY + "timeout: 10m\n")
    after = REPORT + DAILY.replace("2024-01-01", "2024-01-02") + "triggers: {after: [orders]}\n"
    sandbox.write("report.yaml", after)
    sandbox.write("third.yaml", ORDERS.replace("orders", "third") + "triggers: {after: [report]}\n")
    alone, whole = location().get_repository_def(), location().get_repository_def()
    whole.load_all_definitions()
    for name in ("orders", "report", "third"):
        ours, theirs = (each.get_maybe_subset_job_def(name) for each in (alone, whole))
        assert ours.get_job_snapshot_id() == theirs.get_job_snapshot_id()
        assert ours.partitions_def == theirs.partitions_def
        assert ours.executor_def.name == theirs.executor_def.name
    for selected in (keys("report"), keys("orders", "report"), {dg.AssetKey(["third", "validated"])}):
        jobs = [each.get_maybe_subset_job_def(COMMON, asset_selection=selected) for each in (alone, whole)]
        plans = [create_execution_plan(job) for job in jobs]
        assert plans[0].get_all_step_deps() == plans[1].get_all_step_deps()
        layers = [job.asset_layer for job in jobs]
        assert layers[0].executable_asset_keys == layers[1].executable_asset_keys == selected
        for key in selected:
            ours, theirs = (layer.asset_graph.get(key) for layer in layers)
            assert ours.to_asset_spec() == theirs.to_asset_spec()
    assert not alone.get_maybe_subset_job_def("orders").asset_layer.has(dg.AssetKey(["third", "landing"]))


def test_the_job_of_all_assets_is_made_when_it_is_looked_at(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    sandbox.write("orders.yaml", ORDERS)
    broken = sandbox.write("broken.yaml", BROKEN)
    job = location().get_repository_def().get_maybe_subset_job_def(COMMON)
    assert isinstance(job, dg.JobDefinition)
    with pytest.raises(SpecError, match=r"broken\.yaml"):
        job.name  # noqa: B018 - it is the look
    broken.unlink()
    job = location().get_repository_def().get_maybe_subset_job_def(COMMON)
    assert job.name == COMMON
    assert {node.name for node in job.nodes} == {f"orders__{part}" for part in PARTS}
    assert not hasattr(job, "no_such_thing")


def test_what_one_pipeline_does_not_answer_all_do(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("report.yaml", REPORT)
    everything = location().get_repository_def().get_maybe_subset_job_def(COMMON)
    assert everything.asset_layer.executable_asset_keys == keys("orders", "report")
    some = location().get_repository_def().get_maybe_subset_job_def("orders", op_selection=["orders__landing"])
    assert [node.name for node in some.nodes] == ["orders__landing"]
    names = {"validated": ("has_amount", "small"), "warehouse": ("accounting",)}
    checked = {dg.AssetCheckKey(dg.AssetKey(["report", part]), name) for part in names for name in names[part]}
    checks = (
        location()
        .get_repository_def()
        .get_maybe_subset_job_def(COMMON, asset_selection=keys("report"), asset_check_selection=checked)
    )
    assert checks.asset_layer.asset_graph.asset_check_keys == checked
    with pytest.raises(dg.DagsterInvariantViolationError, match="nothing_of_that_name"):
        location().get_repository_def().get_maybe_subset_job_def("nothing_of_that_name")


def test_a_job_that_the_setting_forbids_is_not_there(
    sandbox: Sandbox, location: Callable[[], Location], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINES_JOBS", "none")
    sandbox.write("orders.yaml", ORDERS)
    with pytest.raises(dg.DagsterInvariantViolationError, match="orders"):
        location().get_repository_def().get_maybe_subset_job_def("orders")


def test_errors_of_the_pipeline_are_told_with_those_of_all(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("mode: merge", "mode: upsrt"))
    sandbox.write("broken.yaml", BROKEN)
    with pytest.raises(SpecError) as caught:
        location().get_repository_def().get_maybe_subset_job_def("orders")
    assert "orders.yaml:17" in str(caught.value)
    assert "broken.yaml" in str(caught.value)


def test_two_files_of_one_pipeline_are_refused(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    for file in ("a/orders.yaml", "b/orders.yaml"):
        sandbox.write(file, ORDERS)
    with pytest.raises(SpecError, match="declared twice"):
        location().get_repository_def().get_maybe_subset_job_def("orders")


def test_definitions_can_be_looked_at_and_merged(sandbox: Sandbox, location: Callable[[], Location]) -> None:
    sandbox.write("orders.yaml", ORDERS + "schedule: {cron: '0 * * * *'}\n")
    made = location()

    @dg.asset(deps=[["orders", "warehouse"]])
    def mine() -> None:
        return None

    merged = dg.Definitions.merge(made, dg.Definitions(assets=[mine]))
    assert set(merged.resolve_all_asset_keys()) == keys("orders") | {dg.AssetKey("mine")}
    repository = made.get_repository_def()
    assert repository.has_job("orders")
    assert list(repository.job_names) == [job.name for job in repository.get_all_jobs()]
    assert repository.get_job(COMMON).name == COMMON
    assert repository.get_schedule_def("orders_schedule") in repository.schedule_defs
    assert repository.has_schedule_def("orders_schedule")
    assert not repository.has_sensor_def("orders_changes")
    assert list(repository.sensor_defs) == []
    assert set(repository.assets_defs_by_key) == keys("orders")
    assert repository.get_top_level_resources().keys() == {"shop", "warehouse", "copy", "broken"}
    assert made.executor is not None
    dg.Definitions.validate_loadable(made)


def test_a_step_in_a_process_of_its_own_needs_nothing_of_other_pipelines(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    sandbox.write("broken.yaml", BROKEN)
    code = (
        "import dagster as dg\n"
        "from dagster._core.definitions.reconstruct import ReconstructableRepository\n"
        "repository = ReconstructableRepository.for_module('platform_pipelines.definitions', 'defs')\n"
        "if __name__ == '__main__':\n"
        "    silent = {'telemetry': {'enabled': False}}\n"  # it counts jobs, and so has all of them made
        "    with dg.DagsterInstance.local_temp(overrides=silent) as instance:\n"
        "        done = dg.execute_job(repository.get_reconstructable_job('orders'), instance)\n"
        "    print(done.success, len(done.get_step_success_events()))\n"
    )
    (sandbox.folder / "execute.py").write_text(code)
    environment = {"PIPELINES_DEFS": "defs", "PIPELINES_STORE": "store", "PIPELINES_EXECUTOR": "multiprocess"}
    done = subprocess.run(
        [sys.executable, "execute.py"],
        cwd=sandbox.folder,
        env=environment | {"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True 3", done.stderr
