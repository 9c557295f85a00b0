from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_pipelines_tests.orchestration.conftest import CONNECTORS, ORDERS, Sandbox

DG = Path(sys.executable).parent / "dg"
PYPROJECT = """
[project]
name = "shop-data"
version = "0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop_data"

[tool.dg.cli]
suppress_warnings = ["project_and_activated_venv_mismatch"]
"""
SHORT = {
    "name": "copies",
    "domain_id": "sales",
    "source": {"name": "shop", "stream": "main.orders"},
    "destination": {"name": "copy", "config": {"table": "orders", "mode": "replace"}},
    "triggers": {"after": ["orders/warehouse"]},
}
DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@pytest.fixture
def project(sandbox: Sandbox) -> Sandbox:
    """A ``dg`` project of someone else with one pipeline as a component."""
    package = sandbox.folder / "src" / "shop_data"
    (package / "defs" / "orders").mkdir(parents=True)
    (sandbox.folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    for folder in (package, package / "defs"):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (package / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
    (package / "defs" / "connectors.yaml").write_text(CONNECTORS, encoding="utf-8")
    declare(sandbox, yaml.safe_load(ORDERS))
    return sandbox


def declare(sandbox: Sandbox, attributes: dict[str, Any], folder: str = "orders") -> None:
    text = yaml.safe_dump({"type": "platform_pipelines.PipelineComponent", "attributes": attributes})
    file = sandbox.folder / "src" / "shop_data" / "defs" / folder / "defs.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def dg(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(sandbox.folder),
        "PYTHONPATH": str(sandbox.folder / "src"),
        "DG_CLI_DISABLE_UPDATE_CHECK": "1",
        "COLUMNS": "200",
    }
    return subprocess.run(
        [str(DG), *arguments], cwd=sandbox.folder, env=environment, capture_output=True, text=True, check=False
    )


def test_dg_checks_lists_and_runs_a_pipeline(project: Sandbox) -> None:
    declare(project, SHORT, "copies")
    checked = dg(project, "check", "yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    listed = dg(project, "list", "defs", "--json")
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert {asset["asset_key"] for asset in found["assets"]} == {
        "orders/landing",
        "orders/validated",
        "orders/warehouse",
        "copies/landing",
        "copies/validated",
        "copies/copy",
    }
    dependencies = {asset["asset_key"]: asset["dependency_keys"] for asset in found["assets"]}
    assert dependencies["copies/landing"] == ["orders/warehouse"]
    assert {job["name"] for job in found["jobs"]} == {"orders", "copies"}
    launched = dg(project, "launch", "--assets", 'key:"orders/*"')
    assert launched.returncode == 0, launched.stderr
    assert project.sql("warehouse", "select count(*) from raw.orders") == [(7,)]


def test_dg_refuses_an_unknown_key_with_its_place(project: Sandbox) -> None:
    declare(project, yaml.safe_load(ORDERS) | {"sorce": {}})
    checked = dg(project, "check", "yaml")
    assert checked.returncode != 0
    assert "defs/orders/defs.yaml" in checked.stdout + checked.stderr
    assert "sorce" in checked.stdout + checked.stderr


def test_an_impossible_pipeline_is_refused_with_its_file(project: Sandbox) -> None:
    attributes = yaml.safe_load(ORDERS)
    attributes["destinations"][0]["mode"] = "upsrt"
    declare(project, attributes)
    checked = dg(project, "check", "defs")
    assert checked.returncode != 0
    output = checked.stdout + checked.stderr
    assert "defs/orders/defs.yaml: " in output
    assert "Unknown mode `upsrt` for destination `warehouse`" in output
