"""Keeps pandas out of a process that runs one pipeline which has no use for it.

pyarrow and DuckDB import pandas wherever it is installed, be it to make one
scalar or to read one Arrow table; that costs a run half a second. Both do
without it where it is not installed, so that is what they are told here. Only
for a process that ends with its run: what they once could not import they do not
ask for again. See decision 0013.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.spec import PipelineSpec

#: connectors of ours that never hand out or take pandas frames, nor load a driver that might
_CONNECTORS = frozenset({"duckdb", "files", "hubspot", "logger", "postgres", "rest"})
_TRANSFORMS = frozenset({"aggregate", "filter", "join", "map", "mask", "sql"})


class _Absent:
    """Finds no pandas; asked before all other finders."""

    allowed = False

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Say of pandas that it is not there; leave all else to the next finder."""
        del path, target
        if name == "pandas":
            msg = "No module named 'pandas': nothing in this run needs it"
            raise ModuleNotFoundError(msg, name=name)


def process_is_ours() -> None:
    """Say that this process does nothing but one command."""
    _Absent.allowed = True


def without_pandas(project: Project, pipeline: PipelineSpec) -> None:
    """Do without pandas from here on, unless something in the pipeline may want it."""
    if _Absent.allowed and "pandas" not in sys.modules and not _may_want_it(project, pipeline):
        sys.meta_path.insert(0, _Absent)


def _may_want_it(project: Project, pipeline: PipelineSpec) -> bool:
    connectors = [*project.catalog.connectors.values(), *pipeline.inline_connectors.values()]
    quality = pipeline.quality
    return (
        bool(project.connectors)
        or any(connector.type not in _CONNECTORS for connector in connectors)
        or any(transform.kind not in _TRANSFORMS or _names_code(transform.body) for transform in pipeline.transforms)
        or quality.schema_path is not None
        or any(rule.type == "pandera" for rule in quality.rules)
    )


def _names_code(body: Any) -> bool:  # noqa: ANN401 - any YAML
    """Whether a text in a transform's ``convert`` is the import path of a function."""
    if isinstance(body, dict):
        return any((key == "convert" and ":" in str(value)) or _names_code(value) for key, value in body.items())
    return False
