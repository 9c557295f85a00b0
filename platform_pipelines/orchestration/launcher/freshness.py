"""Whether the code and the YAML on disk are those that a process has loaded."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: of each file: when it was written (ns), its size in bytes, its number on the disk
Stamp = dict[str, tuple[int, int, int]]
_YAML = (".yaml", ".yml")
_OURS = "platform_pipelines"


def stamp(defs: Path | None) -> Stamp:
    """All files that a change would show in: our own modules, those of the user, and YAML.

    Installed packages do not change under a process that runs.

    Args:
        defs: the folder below which all YAML was read; None if none of it was.
    """
    found = {}
    for name in (*(_yaml(defs) if defs is not None else ()), *_modules()):
        try:
            file = os.stat(name)  # noqa: PTH116 - a thousand of them, for every run
        except OSError:
            continue
        found[name] = (file.st_mtime_ns, file.st_size, file.st_ino)
    return found


def _yaml(defs: Path) -> list[str]:
    found = []
    for folder, _, files in os.walk(defs, followlinks=True):
        found += [os.path.join(folder, name) for name in files if name.endswith(_YAML)]  # noqa: PTH118 - see above
    return found


def _modules() -> list[str]:
    paths = sysconfig.get_paths()
    installed = tuple({paths[each] for each in ("stdlib", "platstdlib", "purelib", "platlib")})
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (name.partition(".")[0] == _OURS or not file.startswith(installed)):
            found.append(file)
    return found
