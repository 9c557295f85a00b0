from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.orchestration.retries import delay_before
from platform_pipelines_tests.orchestration.conftest import CONNECTORS, DAILY, ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

LANDING, VALIDATED, WAREHOUSE = (dg.AssetKey(["orders", part]) for part in ("landing", "validated", "warehouse"))


def test_a_pipeline_is_a_chain_of_assets(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    graph = sandbox.definitions().resolve_asset_graph()
    assert graph.get_all_asset_keys() == {LANDING, VALIDATED, WAREHOUSE}
    assert graph.get(VALIDATED).parent_keys == {LANDING}
    assert graph.get(WAREHOUSE).parent_keys == {VALIDATED}


def test_assets_say_whose_they_are_and_what_they_hold(sandbox: Sandbox) -> None:
    file = sandbox.write("orders.yaml", ORDERS)
    specs = {spec.key: spec for spec in sandbox.definitions().resolve_all_asset_specs()}
    warehouse = specs[WAREHOUSE]
    assert warehouse.group_name == "sales"
    assert warehouse.owners == ["team:sales"]
    assert warehouse.tags["tier"] == "gold"
    assert warehouse.kinds == {"duckdb"}
    assert "Orders of the shop." in (warehouse.description or "")
    assert warehouse.metadata["dagster/table_name"] == "raw.orders"
    (reference,) = warehouse.metadata["dagster/code_references"].code_references
    assert reference.file_path == str(file)


def test_every_rule_is_a_check_and_every_destination_has_one(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS)
    assert sandbox.definitions().resolve_asset_graph().asset_check_keys == {
        dg.AssetCheckKey(VALIDATED, "has_amount"),
        dg.AssetCheckKey(VALIDATED, "small"),
        dg.AssetCheckKey(WAREHOUSE, "accounting"),
    }


def test_pools_hold_apart_runs_of_a_pipeline_and_loads_of_a_table(sandbox: Sandbox) -> None:
    sandbox.write("connectors.yaml", CONNECTORS + "lake: {type: files, root: lake, format: parquet}\n")
    sandbox.write("orders.yaml", ORDERS + "  - {connector: lake, table: my orders, mode: append}\n")
    definitions = sandbox.definitions()
    lake = dg.AssetKey(["orders", "lake"])
    pools = {key: definitions.resolve_assets_def(key).op.pool for key in (LANDING, VALIDATED, WAREHOUSE, lake)}
    assert pools == {
        LANDING: "pipeline/orders",
        VALIDATED: "pipeline/orders",
        WAREHOUSE: "connector/warehouse",  # one process writes a DuckDB file at a time
        lake: "table/lake/my_orders",
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("retries: {max: 5, delay: 30s, backoff: linear}", [30, 60, 90]),
        ("retries: {max: 3, delay: 1m, backoff: constant}", [60, 60, 60]),
        ("", [10, 30, 70]),
    ],
)
def test_retries_wait_as_the_yaml_says(sandbox: Sandbox, written: str, expected: list[float]) -> None:
    sandbox.write("orders.yaml", f"{ORDERS}{written}\n")
    retries = sandbox.project().pipeline("orders").retries
    assert [delay_before(retries, attempt) for attempt in (1, 2, 3)] == expected


def test_a_range_of_partitions_is_one_run(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY)
    definitions = sandbox.definitions()
    policies = {definitions.resolve_assets_def(key).backfill_policy for key in (LANDING, VALIDATED, WAREHOUSE)}
    assert policies == {dg.BackfillPolicy.single_run()}


def test_loading_the_code_location_imports_nothing_heavy(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY + "schedule: {cron: '0 * * * *'}\n")
    heavy = ["pandas", "pandera", "duckdb", "pyarrow", "numpy", "google.cloud", "sqlalchemy", "psycopg", "sqlglot"]
    code = (
        "import sys\n"
        "from platform_pipelines.definitions import defs\n"
        "assert len(defs.resolve_all_asset_keys()) == 3\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PIPELINES_DEFS": str(sandbox.folder / "defs"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_errors_in_the_yaml_show_file_and_line(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS.replace("mode: merge", "mode: upsrt"))
    with pytest.raises(SpecError, match=r"orders\.yaml:17: .*upsrt"):
        sandbox.definitions()


def test_an_unknown_executor_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_EXECUTOR", "multi")
    with pytest.raises(SpecError, match=r"PIPELINES_EXECUTOR=multi names no executor\. Allowed: in_process, multiproc"):
        sandbox.definitions()


@pytest.mark.parametrize("setting", ["no_such_module:executor", "dagster:no_such_executor"])
def test_an_executor_that_cannot_be_imported_is_refused(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("PIPELINES_EXECUTOR", setting)
    with pytest.raises(SpecError, match=f"PIPELINES_EXECUTOR={setting} cannot be imported"):
        sandbox.definitions()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("", "in_process"),
        ("in_process", "in_process"),
        ("multiprocess", "multiprocess_forkserver"),
        ("dagster:multi_or_in_process_executor", "multi_or_in_process_executor"),
    ],
)
def test_the_executor_is_a_setting(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, setting: str, name: str) -> None:
    sandbox.write("orders.yaml", ORDERS)
    monkeypatch.setenv("PIPELINES_EXECUTOR", setting)
    assert sandbox.definitions().resolve_job_def("orders").executor_def.name == name


def test_a_job_is_the_one_that_dagster_would_make(sandbox: Sandbox) -> None:
    sandbox.write("orders.yaml", ORDERS + DAILY + "timeout: 10m\n")
    report = ORDERS.replace("name: orders", "name: report").replace("raw.orders", "raw.report")
    sandbox.write("report.yaml", f"{report}{DAILY}triggers: {{after: [orders]}}\n")
    definitions = sandbox.definitions()
    for name in ("orders", "report"):
        keys = [dg.AssetKey([name, part]) for part in ("landing", "validated", "warehouse")]
        tags = {"dagster/max_runtime": "600"} if name == "orders" else {}
        selection = dg.AssetSelection.assets(*keys)
        usual = dg.define_asset_job(name, selection, description="Orders of the shop.", tags=tags)
        theirs = dg.Definitions(
            assets=definitions.assets, jobs=[usual], resources=definitions.resources, executor=definitions.executor
        ).resolve_job_def(name)
        ours = definitions.resolve_job_def(name)
        assert ours.get_job_snapshot() == theirs.get_job_snapshot()
        assert ours.partitions_def == theirs.partitions_def
        assert ours.asset_layer.executable_asset_keys == theirs.asset_layer.executable_asset_keys == set(keys)
        assert {node.key for node in ours.asset_layer.asset_graph.asset_nodes} == {
            node.key for node in theirs.asset_layer.asset_graph.asset_nodes
        }
