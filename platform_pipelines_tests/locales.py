"""Locales that a machine need not have installed, compiled for the tests.

Without them a process that is told to use one stays with plain C, and proves nothing.
"""

from __future__ import annotations

import ctypes
import locale
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: decimal comma, one byte for each character, and an ``I`` whose small letter has no dot
TURKISH = "tr_TR.ISO-8859-9"
#: decimal comma and another currency, in the encoding that the tests' PostgreSQL server has
GERMAN = "de_DE.UTF-8"
_SOURCES = Path("/usr/share/i18n/locales")


class Manners(NamedTuple):
    """What shows which locale a process has.

    Attributes:
        decimal_point: that C's functions write and read.
        small_i: the small letter that C knows of ``I``.
    """

    decimal_point: str
    small_i: str


PLAIN_MANNERS = Manners(".", "i")
TURKISH_MANNERS = Manners(",", "\N{LATIN SMALL LETTER DOTLESS I}")


def compile_into(folder: Path) -> None:
    """Compile both, for whoever has the folder in ``LOCPATH``; the test is skipped where there is nothing to compile."""
    if shutil.which("localedef") is None or not _SOURCES.is_dir():
        pytest.skip("no localedef, or no sources of locales (Debian: apt-get install locales)")
    for name in (TURKISH, GERMAN):
        source, _, charset = name.partition(".")
        command = ["localedef", "-i", source, "-f", charset, folder / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def variables(folder: Path) -> Mapping[str, str]:
    """What makes a process look for its locale in the folder too; ``C.utf8`` may lie where the system's do."""
    return {"LOCPATH": f"{folder}:/usr/lib/locale"}


def adopt() -> Manners:
    """Make the environment's locale this process's own in every respect, as programs around pipelines may.

    Raises:
        locale.Error: there is none of that name.
    """
    locale.setlocale(locale.LC_ALL, "")
    small = ctypes.CDLL(None).towlower(ord("I"))
    return Manners(str(locale.localeconv()["decimal_point"]), chr(small))
