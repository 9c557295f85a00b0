"""Child process: one question to a large landing log. Arguments: the question and the pipeline."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from typing import TYPE_CHECKING

from platform_pipelines.cli.dead_letters import SHOWN as LETTERS
from platform_pipelines.cli.state import SHOWN as FEEDS
from platform_pipelines.engine import (
    RunRequest,
    newest_dead_letters,
    open_project,
    run,
    state,
)

if TYPE_CHECKING:
    from platform_pipelines.engine import Project


def _run(project: Project, name: str) -> str:
    """What a schedule runs: the newest partition and those of its lookback, or the whole pipeline."""
    partitions = project.pipeline(name).partitions
    keys = None if partitions is None else tuple(partitions.recent(dt.datetime.now(dt.UTC)))
    return run(project, RunRequest(pipeline=name, partitions=keys)).status


def _letters(project: Project, name: str) -> int:
    return newest_dead_letters(project, name, LETTERS)[1]


QUESTIONS = {
    "state": lambda project, name: len(state(project, name, FEEDS).feeds),
    "state --json": lambda project, name: len(state(project, name).feeds),
    "next run": _run,
    "dead-letters": _letters,
}

question, pipeline = sys.argv[1:3]
project = open_project()
started = time.perf_counter()
answer = QUESTIONS[question](project, pipeline)
print(json.dumps({"seconds": time.perf_counter() - started, "answer": answer}))
