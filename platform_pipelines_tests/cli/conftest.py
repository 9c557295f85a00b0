from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.cli.commands import CONNECTORS, ORDERS, ROWS, Folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    """An empty project folder, in which the test stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINES_DEFS", "defs")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("PIPELINES_STORE", "PIPELINES_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Folder(tmp_path, capsys)


@pytest.fixture
def orders(folder: Folder) -> Folder:
    """A project with one pipeline from CSV to DuckDB: three rows, one of them to be rejected."""
    folder.write("defs/connectors.yaml", CONNECTORS)
    folder.write("defs/sales/orders.yaml", ORDERS)
    folder.write("in/orders.csv", ROWS)
    return folder
