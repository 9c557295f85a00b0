"""The engine: land, validate, load, replay — the order of work, without Dagster.

Names are loaded when they are first used, so that importing the engine costs
nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.engine.approval import approve, decided, waiting
    from platform_pipelines.engine.batchhistory import HistoryEntry, watermark_history
    from platform_pipelines.engine.changes import changed_partitions
    from platform_pipelines.engine.context import Context, Progress
    from platform_pipelines.engine.deadletters import dead_letters, newest_dead_letters, replay_dead_letters
    from platform_pipelines.engine.explaining import Explanation, explain
    from platform_pipelines.engine.feedstate import StateReport, state
    from platform_pipelines.engine.landing import land
    from platform_pipelines.engine.loading import load
    from platform_pipelines.engine.observations import recent_dead_letters
    from platform_pipelines.engine.planning import PlanReport, plan
    from platform_pipelines.engine.previewing import PreviewReport, preview
    from platform_pipelines.engine.project import Project, open_project
    from platform_pipelines.engine.report import DestinationReport, Landed, Loaded, RunReport, Validated
    from platform_pipelines.engine.request import RunRequest
    from platform_pipelines.engine.resetting import reset
    from platform_pipelines.engine.rewinding import Rewound, plan_rewind, rewind
    from platform_pipelines.engine.runhistory import RunSummary, status
    from platform_pipelines.engine.running import run
    from platform_pipelines.engine.validation import validate
    from platform_pipelines.store.runs import new_token

_MODULES = {
    "approve": "engine.approval",
    "decided": "engine.approval",
    "waiting": "engine.approval",
    "recent_dead_letters": "engine.observations",
    "HistoryEntry": "engine.batchhistory",
    "watermark_history": "engine.batchhistory",
    "changed_partitions": "engine.changes",
    "Context": "engine.context",
    "Progress": "engine.context",
    "dead_letters": "engine.deadletters",
    "newest_dead_letters": "engine.deadletters",
    "replay_dead_letters": "engine.deadletters",
    "Explanation": "engine.explaining",
    "explain": "engine.explaining",
    "land": "engine.landing",
    "load": "engine.loading",
    "PlanReport": "engine.planning",
    "plan": "engine.planning",
    "PreviewReport": "engine.previewing",
    "preview": "engine.previewing",
    "Project": "engine.project",
    "open_project": "engine.project",
    "DestinationReport": "engine.report",
    "Landed": "engine.report",
    "Loaded": "engine.report",
    "RunReport": "engine.report",
    "Validated": "engine.report",
    "RunRequest": "engine.request",
    "run": "engine.running",
    "reset": "engine.resetting",
    "Rewound": "engine.rewinding",
    "plan_rewind": "engine.rewinding",
    "rewind": "engine.rewinding",
    "StateReport": "engine.feedstate",
    "state": "engine.feedstate",
    "RunSummary": "engine.runhistory",
    "status": "engine.runhistory",
    "validate": "engine.validation",
    "new_token": "store.runs",
}

__all__ = [
    "Context",
    "DestinationReport",
    "Explanation",
    "HistoryEntry",
    "Landed",
    "Loaded",
    "PlanReport",
    "PreviewReport",
    "Progress",
    "Project",
    "Rewound",
    "RunReport",
    "RunRequest",
    "RunSummary",
    "StateReport",
    "Validated",
    "approve",
    "changed_partitions",
    "dead_letters",
    "decided",
    "explain",
    "land",
    "load",
    "new_token",
    "newest_dead_letters",
    "open_project",
    "plan",
    "plan_rewind",
    "preview",
    "recent_dead_letters",
    "replay_dead_letters",
    "reset",
    "rewind",
    "run",
    "state",
    "status",
    "validate",
    "waiting",
    "watermark_history",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"platform_pipelines.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
