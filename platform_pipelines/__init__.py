"""A data platform as a Dagster project: one YAML file becomes assets that load each row exactly once.

The public names, imported when they are first used. Everything else may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.api.callbacks import BatchResult, Callbacks
    from platform_pipelines.api.pipeline import Pipeline
    from platform_pipelines.api.result import RecordError, RunResult
    from platform_pipelines.orchestration.component import PipelineComponent

#: where each public name lives
_MODULES = {
    "BatchResult": "api.callbacks",
    "Callbacks": "api.callbacks",
    "Pipeline": "api.pipeline",
    "PipelineComponent": "orchestration.component",
    "RecordError": "api.result",
    "RunResult": "api.result",
}

__all__ = ["BatchResult", "Callbacks", "Pipeline", "PipelineComponent", "RecordError", "RunResult"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
