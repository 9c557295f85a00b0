from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import yaml

from platform_pipelines_tests.orchestration.conftest import ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.orchestration.conftest import Sandbox

PROJECT = Path(__file__).parents[2]


def test_the_workspace_loads_the_definitions() -> None:
    (target,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    assert target["python_module"]["module_name"] == "platform_pipelines.definitions"


def test_a_pipeline_runs_on_the_instance_of_development(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    sandbox.write("orders.yaml", ORDERS)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert sandbox.definitions().resolve_job_def("orders").execute_in_process(instance=instance).success
        limits = instance.event_log_storage.get_pool_limits()
        assert {limit.name: limit.limit for limit in limits} == {"pipeline/orders": 1, "connector/warehouse": 1}
        assert instance.run_monitoring_enabled
        assert type(instance.run_launcher).__name__ == "WarmRunLauncher"
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 4  # beside the queue's interval, which is set elsewhere
        assert not instance.telemetry_enabled
        assert not instance.freshness_enabled  # it would write an event for each of a thousand pipelines' assets


def test_the_instance_of_production_keeps_runs_in_postgres_and_logs_in_gcs(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dagster_postgres", reason="needs the extra `production`")
    pytest.importorskip("dagster_gcp", reason="needs the extra `production`")
    settings = PROJECT / "deploy" / "dagster.production.yaml"
    shown = re.search(r"DAGSTER_POSTGRES_URL +(\S+://)", settings.read_text())
    assert shown is not None
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres_database.replace("postgresql://", shown[1]))
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS_BUCKET", "logs")
    shutil.copy(settings, tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert instance.get_runs() == []
        asset = dg.AssetKey("stored")
        instance.report_runless_asset_event(dg.AssetMaterialization(asset))
        assert instance.get_latest_materialization_event(asset) is not None
        reference = instance.get_ref().compute_logs_data
        assert reference.class_name == "GCSComputeLogManager"
        assert not instance.freshness_enabled
