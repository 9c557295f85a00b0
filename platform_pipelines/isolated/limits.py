"""What a child may use, from the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from platform_pipelines.errors import SpecError

CPU_SECONDS = "PIPELINES_PYTHON_CPU_SECONDS"
MEMORY = "PIPELINES_PYTHON_MEMORY"
ALLOW_UNGUARDED = "PIPELINES_PYTHON_ALLOW_UNGUARDED"
#: what a child gives up, in the words of the setting; see ``child_guards``
GUARDS = ("memory", "cpu", "limits", "user", "privileges", "seccomp")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_MEMORY = re.compile(r"(\d+)\s*([kmg]?)b?", re.IGNORECASE)
_LEAST = 64_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use.

    Attributes:
        cpu_seconds: CPU seconds for one chunk of records, at least.
        memory_bytes: bytes of address space, the interpreter's own included.
        unguarded: guards that may be missing.
    """

    cpu_seconds: int = 20
    memory_bytes: int = 512_000_000
    unguarded: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls) -> Limits:
        """The limits that the environment sets.

        Raises:
            SpecError: a setting is malformed; names the value and what is allowed.
        """
        given = os.environ
        seconds = given.get(CPU_SECONDS, "").strip() or str(cls().cpu_seconds)
        if not seconds.isdecimal() or int(seconds) < 1:
            msg = f"{CPU_SECONDS}={seconds!r} must be a whole number of seconds, at least 1. Default: 20."
            raise SpecError(msg)
        return cls(
            int(seconds), _bytes(given.get(MEMORY, "").strip() or "512MB"), _guards(given.get(ALLOW_UNGUARDED, ""))
        )


def _bytes(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    found = int(match[1]) * _UNITS[match[2].lower()] if match else 0
    if found < _LEAST:
        msg = f"{MEMORY}={text!r} must be a size of at least {_LEAST // 10**6}MB, such as 512MB or 2GB."
        raise SpecError(msg)
    return found


def _guards(text: str) -> frozenset[str]:
    found = frozenset(each.strip() for each in text.split(",") if each.strip())
    if unknown := found.difference(GUARDS):
        msg = f"{ALLOW_UNGUARDED}={text!r} names the unknown guard {min(unknown)!r}. Allowed: {', '.join(GUARDS)}."
        raise SpecError(msg)
    return found
