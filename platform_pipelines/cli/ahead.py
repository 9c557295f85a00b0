"""Makes ready in the background, while a run begins, what takes long to import or to open.

Every run needs Arrow, at the latest for its first rows, and most need an instance
of DuckDB; until then the run reads YAML and its log, imports a driver and waits
for its source. No module of ours is imported here, so that no two threads wait
for each other's imports.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from platform_pipelines.connectors.registry import connector_class

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.project import Project
    from platform_pipelines.spec import PipelineSpec

_log = logging.getLogger(__name__)


def go_ahead(project: Project, pipeline: PipelineSpec) -> None:
    """Begin to import what a run of this pipeline will need, and to open it, unless this process has it."""
    if "pyarrow" in sys.modules:
        return
    modules = ["pyarrow.parquet", *(["pyarrow.compute"] if pipeline.quality.rules else [])]
    names = [pipeline.source.connector, *(destination.connector for destination in pipeline.destinations)]
    source, *others = (connector_class(project.catalog.connector(pipeline, name).type) for name in names)
    threading.Thread(target=_work, args=[source, modules, others], name="run-ahead").start()


def _work(source: type[Connector], modules: list[str], others: list[type[Connector]]) -> None:
    with contextlib.suppress(ImportError):  # whoever needs it imports it again, and says what is wrong
        for module in ("pyarrow", "duckdb"):
            import_module(module)
        _warm(source)
        for module in modules:
            import_module(module)
        for other in others:
            _warm(other)


def _warm(connector: type[Connector]) -> None:
    try:
        connector.warm()
    except Exception:  # noqa: BLE001 - of any connector: whoever needs it opens it again, and says what is wrong
        _log.debug("`%s` could not be opened ahead of its use.", connector.__name__, exc_info=True)
