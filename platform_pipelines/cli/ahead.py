"""Imports Arrow in the background while a run begins.

Every run needs it, at the latest for its first rows; until then the run reads
YAML, waits for its source and lets DuckDB look at a sample, for which nobody
holds the interpreter's lock. No module of ours and none that imports one is
imported here, so that no two threads wait for each other's imports.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_pipelines.spec import PipelineSpec


def import_ahead(pipeline: PipelineSpec) -> None:
    """Begin to import what a run of this pipeline will need of Arrow, unless this process has it."""
    if "pyarrow" in sys.modules:
        return
    modules = ["pyarrow", "pyarrow.parquet", *(["pyarrow.compute"] if pipeline.quality.rules else [])]
    threading.Thread(target=_import, args=[modules], name="import-ahead").start()


def _import(modules: list[str]) -> None:
    with contextlib.suppress(ImportError):  # whoever needs it imports it again, and says what is wrong
        for module in modules:
            import_module(module)
