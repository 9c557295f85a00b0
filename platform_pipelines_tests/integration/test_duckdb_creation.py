"""A DuckDB file comes into being whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from platform_pipelines.connectors import duckdb_session

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_whose_creation_was_killed_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    killed = f"""
import os, pathlib, signal
from platform_pipelines.connectors import duckdb_session
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with duckdb_session.writing(pathlib.Path({str(path)!r})):
    pass
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    assert not path.exists()
    with duckdb_session.writing(path) as connection:
        connection.execute("create table t as select 1 as one")
    assert [file.name for file in path.parent.iterdir() if not file.name.startswith(".")] == [path.name]
