"""Temporary folders go with their process: at once, or on the next occasion after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from platform_pipelines import scratch
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from platform_pipelines.scratch import Scratch
kept = Scratch(sys.argv[1], Path(sys.argv[2]))
(kept.path / "file").write_text("x")
print(kept.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that has a folder in use."""
    command = [sys.executable, "-c", HOLD, "some-", str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_folder_in_use_stays_until_its_process_is_killed(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    scratch.sweep("some-", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    scratch.sweep("some-", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_leaves_none(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.communicate()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_people_are_not_touched(tmp_path: Path) -> None:
    for name in ("some-project", f"some-{'a' * 31}", f"other-{'a' * 32}"):
        (tmp_path / name).mkdir()
    (tmp_path / f"some-{'b' * 32}").write_text("a file")
    scratch.sweep("some-", tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_close_removes_and_a_forked_child_does_not(tmp_path: Path) -> None:
    kept = Scratch("some-", tmp_path)
    owner = kept._release.peek()[2][2]  # type: ignore[index]
    assert owner == os.getpid()
    kept.close()
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_creation_left_beside_a_duckdb_file_goes(tmp_path: Path) -> None:
    left = tmp_path / f".w.duckdb.{'0' * 32}"
    left.mkdir()
    (left / "w.duckdb").write_bytes(b"half")
    DuckDBConnector(type="duckdb", path=tmp_path / "w.duckdb").tidy("raw.t")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_swept_before_it_can_be_locked_is_made_anew(tmp_path: Path) -> None:
    done = threading.Event()

    def keep_sweeping() -> None:
        while not done.is_set():
            scratch.sweep("s-", tmp_path)

    sweepers = [threading.Thread(target=keep_sweeping) for _ in range(3)]
    for each in sweepers:
        each.start()
    try:
        for _ in range(300):
            folder = Scratch("s-", tmp_path)
            assert folder.path.is_dir()
            folder.close()
    finally:
        done.set()
        for each in sweepers:
            each.join()
