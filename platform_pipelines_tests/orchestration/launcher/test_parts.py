from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.orchestration.launcher import offer, wire
from platform_pipelines.orchestration.launcher.errors import NotWarm
from platform_pipelines.orchestration.launcher.freshness import stamp
from platform_pipelines.orchestration.launcher.seat import METADATA, Seat, free_seat, seat_in
from platform_pipelines.orchestration.launcher.worker import NOBODY, Worker, worker, worker_in, worker_of

if TYPE_CHECKING:
    from pathlib import Path

SERVER = ["dagster", "api", "grpc", "--socket", "s", "-m", "platform_pipelines.definitions"]


def test_a_seat_is_found_again_by_its_metadata() -> None:
    seat = free_seat()
    assert seat_in(seat.metadata[METADATA]) == seat
    assert free_seat() != seat


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"platform-pipelines-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(NotWarm, match="is not a folder that only its owner may enter"):
        free_seat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no json", "name no warm process"),
        ('{"path": "/nowhere/at/all.sock", "id": "1"}', "there is no warm process on this machine"),
        ('{"path": "/usr/any.sock", "id": "1"}', "is not a folder that only its owner may enter"),
    ],
)
def test_a_seat_of_somebody_else_is_refused(text: str, expected: str) -> None:
    with pytest.raises(NotWarm, match=expected):
        seat_in(text)


def test_a_side_that_hangs_up_or_is_silent_is_no_answer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.say(theirs, {"pid": 1})
        assert wire.hear(ours) == {"pid": 1}
        ours.settimeout(0.05)
        with pytest.raises(NotWarm, match="no answer: timed out"):
            wire.hear(ours)
        theirs.sendall(b"[1]\n")
        with pytest.raises(NotWarm, match=r"no answer but \[1\]"):
            wire.hear(ours)
        theirs.close()
        with pytest.raises(NotWarm, match="hung up"):
            wire.hear(ours)
        with pytest.raises(NotWarm, match="the connection broke"):
            wire.say(ours, {"pid": 1})


def test_a_process_is_known_again_also_if_its_number_is_given_to_another_one() -> None:
    here = worker(os.getpid())
    assert worker_of(here.tags) == here
    assert here.alive
    assert here.here
    assert not Worker(here.pid, here.started - 1, here.host).alive
    assert not Worker(here.pid, here.started, "another machine").here
    assert worker_of({}) is None
    assert worker_of(NOBODY) is None
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    with pytest.raises(ProcessLookupError):
        worker(child.pid)
    assert not worker_in({"pid": child.pid, "started": 1, "host": here.host}).alive


def test_a_change_of_yaml_shows_in_the_stamp(tmp_path: Path) -> None:
    (tmp_path / "sales").mkdir()
    file = tmp_path / "sales" / "orders.yaml"
    file.write_text("name: orders\n")
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    assert any(name.endswith("platform_pipelines/model.py") for name in before)
    file.write_text("name: orders2\n")
    changed = stamp(tmp_path)
    assert changed != before
    (tmp_path / "other.yml").write_text("name: other\n")
    assert stamp(tmp_path) != changed
    (tmp_path / "other.yml").unlink()
    assert stamp(tmp_path) == changed


def test_only_a_code_server_of_an_instance_with_our_launcher_starts_a_warm_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    settings = tmp_path / "dagster.yaml"
    settings.write_text("run_launcher: {module: platform_pipelines.orchestration.launcher, class: WarmRunLauncher}\n")

    def offered(*argv: str) -> offer.Offer:
        monkeypatch.setattr(sys, "argv", list(argv))
        return offer.offer()

    assert offered(*SERVER).task is not None
    assert offered(*SERVER).metadata.keys() == {METADATA}
    assert offered("dagster", "definitions", "validate").task is None
    assert offered(*SERVER, "--instance-ref", '{"run_launcher": "DefaultRunLauncher"}').task is None
    told = offered(*SERVER, "--instance-ref", '{"run_launcher": "WarmRunLauncher"}').task
    assert told is not None
    assert told.instance == '{"run_launcher": "WarmRunLauncher"}'
    assert offer.task_in(told.text) == told
    settings.write_text("telemetry: {enabled: false}\n")
    nothing = offered(*SERVER)
    assert nothing.task is None
    assert nothing.metadata == {}
    nothing.start()


def test_nobody_listens() -> None:
    with pytest.raises(NotWarm, match="no warm process listens at /nowhere"):
        wire.connect(Seat("/nowhere", "1").path, 1)
