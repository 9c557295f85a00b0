from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.isolated import child_boot, process, syscalls
from platform_pipelines.isolated.language import compile_text
from platform_pipelines.isolated.limits import Limits
from platform_pipelines.isolated.process import Sandbox
from platform_pipelines_tests.unit.isolated.conftest import raw, run

CHUNK = {"rows": 2, "columns": []}, []


def started(sandbox: Sandbox) -> dict[str, str]:
    """What the kernel says of the child that answered a chunk."""
    next(iter(sandbox.answers([CHUNK])))
    child = sandbox._process
    assert child is not None
    text = Path(f"/proc/{child.pid}/status").read_text()
    return dict(re.findall(r"(\w+):[ \t]*(.*)", text))


def test_the_kernel_confirms_the_guards() -> None:
    with Sandbox(compile_text("return record"), Limits()) as sandbox:
        said = started(sandbox)
    assert (said["Seccomp"], said["NoNewPrivs"], said["Threads"]) == ("2", "1", "1")
    assert int(said["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert said["Uid"].split() == ["65534"] * 4
        assert said["Groups"].strip() == ""
    else:
        assert said["Uid"].split()[0] == str(os.geteuid())


def test_a_chunk_of_records_without_columns_keeps_its_rows() -> None:
    with Sandbox(compile_text("return record"), Limits()) as sandbox:
        ((header, buffers),) = sandbox.answers([CHUNK])
    assert (header["columns"], buffers) == ([], [b"\1\1", *[b""] * 4])


def test_a_child_that_has_worked_long_is_replaced_between_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    start = Sandbox._start

    def starting(self: Sandbox) -> object:
        seen.append(self)
        return start(self)

    monkeypatch.setattr(Sandbox, "_start", starting)
    busy = "began = clock()\n    while clock() < began + 0.6: pass"
    program = raw(f"clock = sys.modules['time'].process_time\ndef transform(record):\n    {busy}\n    return record")
    with Sandbox(program, Limits(cpu_seconds=1)) as sandbox:
        answers = list(sandbox.answers([({"rows": 1, "columns": []}, [])] * 4))
    assert [header["failed"] for header, _ in answers] == [0] * 4
    assert len(seen) == 2


def test_a_child_killed_from_outside_is_started_again_and_its_chunk_is_run_again() -> None:
    with Sandbox(compile_text("return record"), Limits()) as sandbox:
        started(sandbox)
        assert sandbox._process is not None
        sandbox._process.kill()
        ((header, _),) = sandbox.answers([CHUNK])
    assert header["failed"] == 0


def test_a_child_is_started_again_once_in_a_batch() -> None:
    """Not once for each chunk: a text that dies now and then is no text to go on with."""

    def kill_after_each(sandbox: Sandbox) -> None:
        for _ in sandbox.answers([CHUNK] * 20):
            assert sandbox._process is not None
            sandbox._process.kill()

    died = pytest.raises(InvalidData, match="died twice over one batch: it was killed")
    with Sandbox(compile_text("return record"), Limits()) as sandbox, died:
        kill_after_each(sandbox)


def test_a_frame_for_a_child_that_died_never_reaches_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its descriptor is the new child's as soon as the old pipe is closed."""
    write = process.wire.write

    def slow(descriptor: int, frame: bytes) -> None:
        time.sleep(0.1)
        write(descriptor, frame)

    monkeypatch.setattr(process.wire, "write", slow)
    with Sandbox(compile_text("return record"), Limits()) as sandbox:
        answers = sandbox.answers([CHUNK] * 3)
        next(answers)
        assert sandbox._process is not None
        sandbox._process.kill()
        assert [header["failed"] for header, _ in answers] == [0, 0]


def test_a_missing_guard_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "program", lambda: b"")
    with pytest.raises(SpecError) as caught, Sandbox(compile_text("return record"), Limits()) as sandbox:
        list(sandbox.answers([CHUNK]))
    assert "it lacks `seccomp` (libseccomp is not installed, or this is not Linux)" in str(caught.value)
    assert "set PIPELINES_PYTHON_ALLOW_UNGUARDED=seccomp." in str(caught.value)


def test_a_missing_guard_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "program", lambda: b"")
    allowed = Limits(unguarded=frozenset({"seccomp"}))
    with Sandbox(compile_text("return record"), allowed) as sandbox:
        said = started(sandbox)
    assert (said["Seccomp"], said["NoNewPrivs"]) == ("0", "1")


def test_without_the_filter_the_limits_still_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "program", lambda: b"")
    source = "def transform(record): return {'x': repr(builtins.eval(record['x']))}"
    attempts = ["os.fork()", "os.open('/etc/hostname', 0)", "os.setuid(0)"]
    ran = run(raw(source), attempts, Limits(unguarded=frozenset({"seccomp"})))
    if os.geteuid() == 0:
        assert set(ran.failed) == {0, 1, 2}, (ran.failed, ran.values)
    else:
        assert 1 in ran.failed


def test_a_filter_the_kernel_does_not_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "program", lambda: b"\xff" * 64)
    with pytest.raises(SpecError, match="it lacks `seccomp` "), Sandbox(compile_text("return record"), Limits()) as box:
        list(box.answers([CHUNK]))


def test_a_child_that_never_answers_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_WALL", 1)
    program = raw("def transform(record):\n    os.read(0, 1)")
    with pytest.raises(InvalidData, match="it did not answer within 1 s"):
        run(program, ["x"], Limits(cpu_seconds=1))


def test_a_child_that_cannot_start_says_why() -> None:
    broken = raw("raise LookupError('no such thing')\ndef transform(record): return record")
    with pytest.raises(InvalidData, match="it said: LookupError: no such thing"):
        run(broken, ["x"])


def test_nothing_is_left_behind() -> None:
    with Sandbox(compile_text("return record"), Limits()) as sandbox:
        started(sandbox)
        child = sandbox._process
    assert child is not None
    assert child.returncode is not None
    assert not Path(f"/proc/{child.pid}").exists()


def test_the_child_is_started_by_its_path_alone() -> None:
    assert Path(child_boot.__file__).name == "child_boot.py"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PIPELINES_PYTHON_CPU_SECONDS", "0", "PIPELINES_PYTHON_CPU_SECONDS='0' must be a whole number of seconds, at least 1."),
        ("PIPELINES_PYTHON_CPU_SECONDS", "2.5", "must be a whole number of seconds"),
        ("PIPELINES_PYTHON_MEMORY", "lots", "PIPELINES_PYTHON_MEMORY='lots' must be a size of at least 64MB"),
        ("PIPELINES_PYTHON_MEMORY", "1MB", "must be a size of at least 64MB"),
        ("PIPELINES_PYTHON_ALLOW_UNGUARDED", "all", "names the unknown guard 'all'. Allowed: memory, cpu, limits, user, privileges, seccomp."),
    ],
)  # fmt: skip
def test_settings_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError) as caught:
        Limits.from_environment()
    assert message in str(caught.value)


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits.from_environment() == Limits(20, 512_000_000, frozenset())
    monkeypatch.setenv("PIPELINES_PYTHON_CPU_SECONDS", "7")
    monkeypatch.setenv("PIPELINES_PYTHON_MEMORY", "1GB")
    monkeypatch.setenv("PIPELINES_PYTHON_ALLOW_UNGUARDED", "seccomp, user")
    assert Limits.from_environment() == Limits(7, 10**9, frozenset({"seccomp", "user"}))
