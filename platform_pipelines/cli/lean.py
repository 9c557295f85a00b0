"""Keeps modules out of a process that runs one pipeline which has no use for them.

pyarrow and DuckDB import pandas wherever it is installed, be it to make one
scalar or to read one Arrow table; pyarrow imports numpy, dateutil and its own
clients of cloud stores, DuckDB Arrow's data sets, httpx its own command line.
Together that costs a run most of a second. All do without where these are not
installed, so that is what they are told here. Only for a process that ends with
its run: what they once could not import they do not ask for again. See decisions
0013 and 0014.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.spec import PipelineSpec

#: connectors of ours that never hand out or take pandas frames or numpy arrays, nor load a driver that might
_CONNECTORS = frozenset({"duckdb", "files", "hubspot", "logger", "postgres", "rest"})
#: DuckDB reads Arrow's streams as they come where there are no data sets; pyarrow asks dateutil for intervals alone
_WITH_PANDAS = {"pandas", "pyarrow.dataset", "dateutil"}
#: nor do they open other files than local ones
_STORES = {"pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs"}
_TRANSFORMS = frozenset({"aggregate", "filter", "join", "map", "mask", "sql"})


class _Absent:
    """Finds no module of these names; asked before all other finders."""

    allowed = False
    names: ClassVar[set[str]] = {"httpx._main"}

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        """Say of such a module that it is not there; leave all else to the next finder."""
        del path, target
        if name in cls.names:
            msg = f"No module named {name!r}: nothing in this run needs it"
            raise ModuleNotFoundError(msg, name=name)


def process_is_ours() -> None:
    """Say that this process does nothing but one command.

    pydantic then does not read what all installed packages offer, to find plug-ins of its own among it; whoever
    has one sets ``PYDANTIC_DISABLE_PLUGINS`` to nothing. See https://docs.pydantic.dev/latest/concepts/plugins.
    """
    _Absent.allowed = True
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def without_unneeded(project: Project, pipeline: PipelineSpec) -> None:
    """Do without pandas and numpy from here on, unless something in the pipeline may want them."""
    if not _Absent.allowed:
        return
    sys.meta_path.insert(0, _Absent)
    if "pandas" in sys.modules or _may_want_pandas(project, pipeline):
        return
    _Absent.names |= _WITH_PANDAS | _STORES
    if "numpy" not in sys.modules:
        _Absent.names.add("numpy")


def _may_want_pandas(project: Project, pipeline: PipelineSpec) -> bool:
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
