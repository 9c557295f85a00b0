"""The engine: land, validate, load, replay — the order of work, without Dagster.

Names are loaded when they are first used, so that importing the engine costs
nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.engine.changes import changed_partitions
    from platform_pipelines.engine.context import Context, Progress
    from platform_pipelines.engine.dead_letters import count_dead_letters, dead_letters, replay_dead_letters
    from platform_pipelines.engine.landing import land
    from platform_pipelines.engine.loading import load
    from platform_pipelines.engine.plan import PlanReport, plan
    from platform_pipelines.engine.preview import PreviewReport, preview
    from platform_pipelines.engine.project import Project, open_project
    from platform_pipelines.engine.report import DestinationReport, Landed, Loaded, RunReport, Validated
    from platform_pipelines.engine.run import RunRequest, run
    from platform_pipelines.engine.state import StateReport, reset, state
    from platform_pipelines.engine.status import RunSummary, status
    from platform_pipelines.engine.validation import validate
    from platform_pipelines.store.runs import new_token

_MODULES = {
    "changed_partitions": "engine.changes",
    "Context": "engine.context",
    "Progress": "engine.context",
    "count_dead_letters": "engine.dead_letters",
    "dead_letters": "engine.dead_letters",
    "replay_dead_letters": "engine.dead_letters",
    "land": "engine.landing",
    "load": "engine.loading",
    "PlanReport": "engine.plan",
    "plan": "engine.plan",
    "PreviewReport": "engine.preview",
    "preview": "engine.preview",
    "Project": "engine.project",
    "open_project": "engine.project",
    "DestinationReport": "engine.report",
    "Landed": "engine.report",
    "Loaded": "engine.report",
    "RunReport": "engine.report",
    "Validated": "engine.report",
    "RunRequest": "engine.run",
    "run": "engine.run",
    "StateReport": "engine.state",
    "reset": "engine.state",
    "state": "engine.state",
    "RunSummary": "engine.status",
    "status": "engine.status",
    "validate": "engine.validation",
    "new_token": "store.runs",
}

__all__ = [
    "Context",
    "DestinationReport",
    "Landed",
    "Loaded",
    "PlanReport",
    "PreviewReport",
    "Progress",
    "Project",
    "RunReport",
    "RunRequest",
    "RunSummary",
    "StateReport",
    "Validated",
    "changed_partitions",
    "count_dead_letters",
    "dead_letters",
    "land",
    "load",
    "new_token",
    "open_project",
    "plan",
    "preview",
    "replay_dead_letters",
    "reset",
    "run",
    "state",
    "status",
    "validate",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"platform_pipelines.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
