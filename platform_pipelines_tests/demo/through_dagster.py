"""The demo's pipelines, materialized by Dagster's command line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from platform_pipelines.demo.data import prepare
from platform_pipelines_tests.demo.running import environment

if TYPE_CHECKING:
    from pathlib import Path

#: what is materialized, in order: a selection, and the partitions of it
_RUNS = (
    ('key:"airlines/*" or key:"airports/*" or key:"planes/*" or key:"weather/*"', None),
    ('key:"flights/*"', "2013-01-01...2013-12-01"),
    ('key:"delays/*"', None),
)


def materialize_demo(folder: Path, home: Path) -> None:
    """Run the whole demo in ``folder`` with Dagster's instance in ``home``: three runs, one of them a range."""
    prepare(folder)
    for selection, partitions in _RUNS:
        materialize(folder, home, selection, partitions)


def materialize(folder: Path, home: Path, selection: str, partitions: str | None = None) -> str:
    """Run ``dagster asset materialize`` in ``folder``; what it wrote."""
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "platform_pipelines.definitions"]
    command += ["--select", selection]
    if partitions:
        command += ["--partition-range", partitions]
    variables = environment(folder) | {"DAGSTER_HOME": str(home)}
    done = subprocess.run(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
