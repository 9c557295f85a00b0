"""Arrow is imported while a run begins: by a thread of its own, once, and without rules no more than is needed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

_SCRIPT = """
import sys, threading
from platform_pipelines.cli.ahead import go_ahead
from platform_pipelines.cli.project import load_project

def ahead():
    return [thread for thread in threading.enumerate() if thread.name == "run-ahead"]

project = load_project()
pipeline = project.pipeline("plain")
before = "pyarrow" in sys.modules
go_ahead(project, pipeline)
for thread in ahead():
    thread.join()
go_ahead(project, pipeline)
print(before, len(ahead()), [name in sys.modules for name in ("pyarrow.parquet", "pyarrow.compute")])
"""
_FAILING = """
from platform_pipelines.cli.main import main
from platform_pipelines.connectors.files import FilesConnector

def full():
    raise OSError(28, "No space left on device")

FilesConnector.warm = full
main()
"""
_PLAIN = """
name: plain
source: {connector: drops, stream: orders.csv, mode: full_refresh}
destinations: [{connector: warehouse, table: raw.plain, mode: replace}]
"""


def _said(folder: Folder) -> str:
    command = [sys.executable, "-c", _SCRIPT]
    environment = folder.environment()
    return subprocess.run(
        command, cwd=folder.root, env=environment, check=True, capture_output=True, text=True, timeout=120
    ).stdout.strip()


def test_what_a_run_needs_of_arrow_is_imported_by_a_thread(orders: Folder) -> None:
    orders.write("defs/sales/plain.yaml", _PLAIN)
    assert _said(orders) == "False 0 [True, False]"
    orders.write("defs/sales/plain.yaml", f"{_PLAIN}quality: {{rules: [{{id: a, type: required, fields: [id]}}]}}\n")
    assert _said(orders) == "False 0 [True, True]"


def test_what_fails_ahead_is_tried_again_in_silence(orders: Folder) -> None:
    command = [sys.executable, "-c", _FAILING, "run", "orders", "--json"]
    done = subprocess.run(
        command, cwd=orders.root, env=orders.environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert orders.query("select count(*) from raw.orders") == [(2,)]
