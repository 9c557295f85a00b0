"""What the child gives up before it runs a user's text; runs in the child, standard library only.

In this order: memory and CPU limits, no core dumps, no new files, processes or
descriptors, the super-user's rights, new privileges, being looked into, and at
last every system call but those that computing needs (seccomp, see
https://docs.kernel.org/userspace-api/seccomp_filter.html). A guard that the
kernel does not grant is named; whether that is borne is up to the parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: user and group of the child where the parent is the super-user: nobody
NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION_BYTES = 8


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def lock(cpu_seconds: int, memory_bytes: int, filter_program: bytes) -> dict[str, str]:
    """Give everything up.

    Args:
        cpu_seconds: after so many the kernel kills the process.
        memory_bytes: address space of the process.
        filter_program: BPF instructions of the system call filter; empty where
            the parent could not make one.

    Returns:
        The guards that are missing, each with the reason.
    """
    missing: dict[str, str] = {}
    with _guard("memory", missing):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with _guard("cpu", missing):
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    with _guard("limits", missing):
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
            resource.setrlimit(kind, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (2, 2))  # input and output, nothing more
    with _guard("user", missing):
        _become_nobody()
    with _guard("privileges", missing):
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_DUMPABLE, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with _guard("seccomp", missing):
        _filter(filter_program)
    return missing


@contextlib.contextmanager
def _guard(name: str, missing: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, AttributeError) as error:
        missing[name] = str(error)


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _filter(program: bytes) -> None:
    if not program:
        msg = "libseccomp is not installed, or this is not Linux"
        raise OSError(msg)
    buffer = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // _INSTRUCTION_BYTES, ctypes.addressof(buffer))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described))


def _prctl(option: int, value: int, address: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(address), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
