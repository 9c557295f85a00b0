"""The child's first file, run by its path: makes its siblings importable without the package around them.

Started by ``process`` as ``python -I -S child_boot.py``: no environment, no site
packages, so the package and what it depends on are out of reach.
"""

from __future__ import annotations

import os
import sys
import types

_NAME = "platform_pipelines.isolated"


def _run() -> None:
    for name in (_NAME.partition(".")[0], _NAME):
        package = types.ModuleType(name)
        package.__path__ = [os.path.dirname(os.path.abspath(__file__))] if name == _NAME else []  # noqa: PTH100, PTH120
        sys.modules[name] = package
    from platform_pipelines.isolated import child_main, wire

    code = 0
    try:
        child_main.main(*wire.read(0, 1 << 30))
    except wire.Broken:
        pass  # the parent is done
    except BaseException as error:  # noqa: BLE001 - whatever ends the child is told to the parent
        code = 1
        wire.write(1, wire.pack({"fatal": f"{type(error).__name__}: {error}"[:500]}, []))
    os._exit(code)  # nothing is left to tidy up, and what tidying needs is locked


if __name__ == "__main__":
    _run()
