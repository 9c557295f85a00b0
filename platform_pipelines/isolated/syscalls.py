"""The system calls a child may make, as a filter program for the kernel.

Whatever is not listed fails with EPERM: files, sockets, processes, signals,
timers, other processes' memory. Reading is allowed from input 0 alone, writing to
output 1 alone, and no memory becomes executable. The program is made here, by
libseccomp through ``pyseccomp``, so that the child needs neither.
"""

from __future__ import annotations

import errno
import functools
import tempfile

_PROT_EXEC = 4
_PLAIN = (
    "brk", "munmap", "mremap", "madvise", "futex", "rt_sigreturn", "sched_yield", "restart_syscall",
    "clock_gettime", "gettimeofday", "getrandom", "exit", "exit_group",
)  # fmt: skip


@functools.cache
def program() -> bytes:
    """The BPF instructions; empty where libseccomp is missing or this is not Linux."""
    try:
        import pyseccomp  # type: ignore[import-untyped]
    except (ImportError, RuntimeError, OSError):  # no wheel, or no libseccomp for it
        return b""
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in _PLAIN:
        rules.add_rule(pyseccomp.ALLOW, name)
    rules.add_rule(pyseccomp.ALLOW, "read", pyseccomp.Arg(0, pyseccomp.EQ, 0))
    rules.add_rule(pyseccomp.ALLOW, "write", pyseccomp.Arg(0, pyseccomp.EQ, 1))
    for name in ("mmap", "mprotect"):
        rules.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _PROT_EXEC, 0))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
