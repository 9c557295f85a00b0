"""Run history: what ran when, how it ended, read from the run records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.store.runs import Entry

PAGE = 20


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run.

    Attributes:
        token: its token.
        pipeline: its pipeline.
        status: as in ``run --json``; ``running`` where no end is recorded.
        started_at: seconds since 1970, UTC.
        ended_at: likewise; None while it runs.
        seconds: wall-clock seconds; None while it runs.
        rows: counts as in ``run --json``, where they are known.
        error: text of the first error.
        stages: one entry a stage.
    """

    token: str
    pipeline: str
    status: str
    started_at: float
    ended_at: float | None
    seconds: float | None
    rows: dict[str, Any]
    error: str | None
    stages: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def status(project: Project, name: str | None = None, page: int = 1) -> list[RunSummary]:
    """Runs, newest first, a page of 20 at a time.

    Args:
        project: the project.
        name: a pipeline's name or a run's token; None for all pipelines.
        page: counted from 1.

    Raises:
        UsageError: no such pipeline or token.
    """
    runs = project.store.runs
    if name is not None and name.startswith("pt-"):
        pipeline = runs.find(name)
        if pipeline is None:
            msg = f"No run has the token `{name}`. See `pipelines status` for the latest runs."
            raise UsageError(msg)
        return [_summary(runs.entries(pipeline, name), pipeline, name)]
    if name is not None:
        project.pipeline(name)
    pipelines = [name] if name else runs.pipelines()
    found = sorted(((token, p) for p in pipelines for token in runs.tokens(p)), reverse=True)
    chosen = found[(page - 1) * PAGE : page * PAGE]
    return [_summary(runs.entries(pipeline, token), pipeline, token) for token, pipeline in chosen]


def _summary(entries: list[Entry], pipeline: str, token: str) -> RunSummary:
    started = entries[0].at if entries else 0.0
    end = next((entry for entry in reversed(entries) if entry.stage == "end"), None)
    error = next((entry.body.get("error") for entry in entries if entry.stage == "error"), None)
    return RunSummary(
        token=token,
        pipeline=pipeline,
        status=str(end.body.get("status")) if end else ("failed" if error else "running"),
        started_at=started,
        ended_at=end.at if end else None,
        seconds=round(end.at - started, 3) if end else None,
        rows=dict(end.body.get("rows") or {}) if end else {},
        error=error,
        stages=tuple({"stage": entry.stage, "at": entry.at, **entry.body} for entry in entries),
    )
