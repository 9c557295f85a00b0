"""Attacks by code that is already out of the language: every one must fail at the kernel."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyseccomp
import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.isolated import process
from platform_pipelines.isolated.language import compile_text
from platform_pipelines_tests.unit.isolated.conftest import raw, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.isolated.limits import Limits

ATTEMPTS = {
    "read a file": "os.open('/etc/passwd', 0)",
    "read a file by io": "builtins.open('/etc/hostname')",
    "read its own text": "builtins.open(sys.modules['os'].__file__)",
    "write a file": "os.open(FOLDER + '/escaped', 65, 0o666)",
    "make a folder": "os.mkdir(FOLDER + '/escaped')",
    "list a folder": "os.listdir('/')",
    "remove a file": "os.unlink(FOLDER + '/there')",
    "look at the parent": "os.listdir(f'/proc/{os.getppid()}')",
    "the parent's environment": "os.open('/proc/1/environ', 0)",
    "its own memory by proc": "os.open('/proc/self/mem', 2)",
    "its own maps": "os.open('/proc/self/maps', 0)",
    "fork": "os.fork()",
    "run a program": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
    "spawn a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "system": "checked(os.system('true'))",
    "kill the parent": "os.kill(os.getppid(), 9)",
    "kill everybody": "os.kill(-1, 9)",
    "a socket": "sys.modules['_socket'].socket() if '_socket' in sys.modules else call('socket', 2, 1, 0)",
    "a pair of sockets": "call('socketpair', 1, 1, 0, 0)",
    "connect": "call('connect', 0, 0, 0)",
    "a thread": "sys.modules['_thread'].start_new_thread(len, ((),))",
    "become root": "os.setuid(0)",
    "raise a limit": "sys.modules['resource'].setrlimit(sys.modules['resource'].RLIMIT_AS, (-1, -1))",
    "raise a limit of the parent": "call('prlimit64', 1, 0, 0, 0)",
    "trace": "call('ptrace', 16, 1, 0, 0)",
    "read the parent's memory": "call('process_vm_readv', 1, 0, 0, 0, 0, 0)",
    "write the parent's memory": "call('process_vm_writev', 1, 0, 0, 0, 0, 0)",
    "a signal handler": "call('rt_sigaction', 24, 0, 0, 8)",
    "block signals": "call('rt_sigprocmask', 0, 0, 0, 8)",
    "an alarm": "call('alarm', 1)",
    "a timer": "call('setitimer', 0, 0, 0)",
    "sleep": "call('clock_nanosleep', 0, 0, 0, 0)",
    "executable memory": "mapped(7)",
    "make memory executable": "call('mprotect', 0, 4096, 5)",
    "another filter": "call('seccomp', 1, 0, 0)",
    "prctl": "call('prctl', 4, 1, 0, 0, 0)",
    "a namespace": "call('unshare', 0x10000000)",
    "mount": "call('mount', 0, 0, 0, 0, 0)",
    "change root": "call('chroot', 0)",
    "a file in memory": "call('memfd_create', 0, 0)",
    "io_uring": "call('io_uring_setup', 1, 0)",
    "bpf": "call('bpf', 0, 0, 0)",
    "a page fault handler": "call('userfaultfd', 0)",
    "perf": "call('perf_event_open', 0, 0, -1, -1, 0)",
    "keys": "call('keyctl', 0, 0, 0, 0, 0)",
    "a new module": "call('init_module', 0, 0, 0)",
    "dup": "os.dup(1)",
    "read another descriptor": "os.read(1, 1)",
    "write to standard error": "os.write(2, b'x')",
    "write to an inherited descriptor": "os.write(DESCRIPTOR, b'x')",
    "import from disk": "sys.modules['_frozen_importlib_external'].FileLoader('x', '/etc/passwd').get_data('/etc/passwd')",
    "control a terminal": "call('ioctl', 0, 0x5412, 0)",
    "wait for the parent": "call('pidfd_open', 1, 0)",
    "share memory": "call('shmget', 0, 4096, 0o1777)",
    "the machine's name": "os.uname()",
}  # fmt: skip
_CALLS = sorted(
    {name for text in ATTEMPTS.values() for name in [text.partition("call('")[2].partition("'")[0]] if name}
)

ATTACK = """
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = %r
DESCRIPTOR = %r
FOLDER = %r
def checked(result):
    if result < 0 or result == 32512:
        raise PermissionError(result)
    return result
def call(name, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *[ctypes.c_long(each) for each in arguments])
    if result == -1:
        code = ctypes.get_errno()
        raise PermissionError('refused') if code == 1 else ValueError('let through: errno ' + str(code))
    return result
def mapped(protection):
    libc.mmap.restype = ctypes.c_long
    if libc.mmap(None, ctypes.c_size_t(4096), protection, 0x22, -1, ctypes.c_long(0)) == -1:
        raise PermissionError('refused')
def transform(record):
    return {'x': repr(builtins.eval(record['x']))}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in which anybody may write, with one file."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        (Path(name) / "there").touch()
        yield Path(name)


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, str]:
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)  # noqa: FBT003 - a boolean is all it takes
    numbers = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in _CALLS}
    try:
        ran = run(raw(ATTACK % (numbers, writable, str(folder))), list(ATTEMPTS.values()))
    finally:
        os.close(writable)
    assert os.read(readable, 1) == b""
    os.close(readable)
    return {name: ran.failed.get(row, f"came back with {ran.values[row]}") for row, name in enumerate(ATTEMPTS)}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_kernel_refuses(attempt: str, outcomes: dict[str, str], folder: Path) -> None:
    refused = ("PermissionError", "Operation not permitted", "can't start new thread", "not allowed to raise")
    assert any(word in outcomes[attempt] for word in refused), outcomes[attempt]
    assert [path.name for path in folder.iterdir()] == ["there"]


def test_there_is_nothing_to_read() -> None:
    known = "def transform(record): return {'x': repr((dict(os.environ), sys.path, [m for m in sys.modules if 'site' in m]))}"
    environ, path, sites = eval(run(raw(known), ["x"]).values[0])  # noqa: S307 - our own repr
    assert set(environ) <= {"LC_CTYPE"}  # Python itself sets it
    assert not [each for each in path if "site-packages" in each]
    assert not [each for each in sites if "packages" in each]


def test_words_on_the_way_out_are_not_believed() -> None:
    source = "def transform(record):\n    os.write(1, b'x' * 4096)\n    return record"
    with pytest.raises(InvalidData, match="died twice over one batch"):
        run(raw(source), ["x"])


def test_a_forged_answer_is_not_believed() -> None:
    frame = (
        "sys.modules['platform_pipelines.isolated.wire'].pack({'columns': [], 'failed': 7, 'cpu_seconds': 0}, [b''])"
    )
    source = f"def transform(record):\n    os.write(1, {frame})\n    return record"
    with pytest.raises(InvalidData, match="sent an answer that cannot be read"):
        run(raw(source), ["x"])


def test_a_forged_time_does_not_stop_the_host() -> None:
    frame = "sys.modules['platform_pipelines.isolated.wire'].pack({'cpu_seconds': 'long'}, [b''])"
    source = f"def transform(record):\n    os.write(1, {frame})\n    return record"
    with pytest.raises(InvalidData):
        run(raw(source), ["x"])


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("while True: pass", "more CPU time than allowed (1 s; setting PIPELINES_PYTHON_CPU_SECONDS)"),
        ("os._exit(0)", "it closed its output"),
        ("ctypes.string_at(0)", "it crashed"),
    ],
)
def test_a_child_that_dies_is_started_once_more_and_then_fails(
    body: str, cause: str, small: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SHARES", 1)  # no need to wait for what chunks under way may use
    with pytest.raises(InvalidData) as caught:
        run(raw(f"def transform(record):\n    {body}"), ["x"], small)
    assert "died twice over one batch" in str(caught.value)
    assert cause in str(caught.value)


def test_a_memory_bomb_is_a_dead_letter(small: Limits) -> None:
    ran = run(raw("def transform(record):\n    return {'x': str(len(b'x' * 10**10))}"), ["x"], small)
    assert ran.failed == {0: "line 11: MemoryError"}


def test_a_bomb_of_many_small_things_is_contained(small: Limits) -> None:
    source = "def transform(record):\n    kept = []\n    while True: kept.append(b'x' * 100_000)"
    ran = run(raw(source), ["x"], small)
    assert "MemoryError" in ran.failed[0]


def test_huge_output_is_refused(small: Limits) -> None:
    with pytest.raises(InvalidData, match=r"it sent [\d,]+ bytes at once|MemoryError|it closed its output"):
        run(raw("def transform(record): return {'x': 'x' * 10_000_000}"), ["x"] * 20, small)


def test_a_huge_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidData, match=r"it sent a header of [\d,]+ bytes; at most 4,194,304 are taken"):
        run(raw("def transform(record): return {str(key) * 50: key for key in range(100_000)}"), ["x"])


def test_numbers_beyond_all_bounds_cost_the_host_nothing() -> None:
    source = "def transform(record): return {'x': sys.modules['decimal'].Decimal('1' * int(record['x']))}"
    ran = run(raw(source, ("decimal",)), ["3", "30000000"])
    assert [str(value) for value in ran.values[:1]] == ["111.000000000"]
    with pytest.raises(InvalidData, match=r"`x` holds 70,000,000 bytes of nested values or long numbers in 1 records"):
        run(raw(source, ("decimal",)), ["70000000"])


def test_another_table_of_system_calls_ends_the_process() -> None:
    source = (
        "libc = ctypes.CDLL(None)\ndef transform(record): return {'x': libc.syscall(0x40000000 | 2, b'/etc/passwd', 0)}"
    )
    with pytest.raises(InvalidData, match="died twice"):
        run(raw(source), ["x"])


FRAME = """
held = []
def walk():
    yield '{0.gi_frame.f_back.f_locals}'.format(held[0])
held.append(walk())
return {'x': next(held[0])}
"""
#: ways out of the language that a text can write, each stopped before it gets anywhere
TEXTS = {
    "the type of a type": ("return {'x': type(int)('M', (), {'__match_args__': ('__globals__',)})}", "makes classes"),
    "a class by one's own": ("import re\nreturn {'x': type(re)('M', (), {})}", "makes classes"),
    "the frame of a running generator": (FRAME, "reaches for a private name"),
    "an enumeration with methods": (
        "import uuid\nreturn {'x': uuid.Enum('E', [('__eq__', len)])}",
        "has no attribute 'Enum'",
    ),
    "another context for later records": (
        "import decimal\ndecimal.setcontext(1)\nreturn record",
        "no attribute 'setcontext'",
    ),
}


@pytest.mark.parametrize("attempt", TEXTS)
def test_the_language_has_no_way_out(attempt: str) -> None:
    text, reason = TEXTS[attempt]
    ran = run(compile_text(text), ["x"])
    assert reason in ran.failed[0]


def test_a_text_changes_a_copy_of_the_context_alone() -> None:
    text = "import decimal\nx = decimal.getcontext()\nx.traps[decimal.Inexact] = True\nreturn {'x': str(decimal.Decimal(1) / 3)}"
    assert run(compile_text(text), ["x", "y"]).failed == {}
