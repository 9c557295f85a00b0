"""A hundred times SIGKILL, at random moments: every destination equals one clean run, nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.torture.field import Field
from platform_pipelines_tests.torture.kills import kill_at_random
from platform_pipelines_tests.torture.seeds import seeded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from platform_pipelines_tests.torture.zygote import Zygote

    Count = Callable[[str, int], None]

KILLS = 100
#: runs of Dagster that are killed; each costs a start of Dagster
DAGSTER_KILLS = 3
#: a kill may come too early or too late that often
_TRIES = 4


@pytest.mark.timeout(900)
def test_killed_a_hundred_times_equals_one_clean_run(tmp_path: Path, zygote: Zygote, cases: Count) -> None:
    _, chance = seeded("random kills")
    counts = kill_at_random(KILLS, tmp_path, zygote, chance)
    cases("SIGKILL of runs at random moments", counts["runs killed"])
    cases("SIGKILL of the PostgreSQL server during runs", counts["servers killed"])
    assert counts["runs killed"] + counts["servers killed"] >= KILLS


@pytest.mark.timeout(600)
def test_dagster_killed_and_run_again_by_the_command_line(
    tmp_path: Path, zygote: Zygote, postgres_database: str, cases: Count
) -> None:
    _, chance = seeded("kills of Dagster")
    field = Field(tmp_path / "field", zygote, chance, postgres_database, tmp_path / "tmp")
    assert kill_dagster(DAGSTER_KILLS, field, chance) == [0] * DAGSTER_KILLS
    cases("SIGKILL of Dagster's runs", DAGSTER_KILLS)


def kill_dagster(kills: int, field: Field, chance: random.Random) -> list[int]:
    """Kill runs of Dagster in the middle; the command line goes on from there, and compares.

    A run that had not begun to write, or had ended, counts for nothing, and another is begun.

    Returns:
        The exit code of the command line after each kill.
    """
    statuses = []
    field.prepare()
    field.add()
    started = time.monotonic()
    assert _materialize(field).wait() == 0
    length = time.monotonic() - started
    for _ in range(kills * _TRIES):
        if len(statuses) == kills:
            break
        field.add()
        before = _records(field)
        process = _materialize(field)
        time.sleep(length * chance.uniform(0.6, 1))
        in_the_middle = process.poll() is None and _records(field) > before
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        status = field.run()
        statuses += [status] if in_the_middle else []
        field.verify(f"kill {len(statuses)} of Dagster")
    return statuses


def _records(field: Field) -> int:
    """Stages of runs that the log tells of."""
    return sum(1 for _ in (field.root / ".pipelines/store/_runs/p").glob("*/*.json"))


def _materialize(field: Field) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dagster",
            "asset",
            "materialize",
            "-m",
            "platform_pipelines.definitions",
            "--select",
            'key:"p/landing"+',
        ],
        cwd=field.root,
        env=os.environ | field.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
