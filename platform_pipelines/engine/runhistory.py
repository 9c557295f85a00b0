"""Run history: what ran when, how it ended, read from the run records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.ending import ending
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.store.runs import RunLog

PAGE = 20
#: error of a run that recorded none, nor an end
KILLED = (
    "The process ended before the run did: it was killed, or the machine went down. "
    "Nothing is lost or doubled: run it again."
)
_DAMAGED = (
    "The record of this run is damaged, so that it does not say how the run ended: {} cannot be read. The process was "
    "killed as it wrote that, or it was changed since. `pipelines state {}` shows what has landed and what is loaded."
)
_FAILED = frozenset({"failed", "partial", "gate_closed"})


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run.

    Attributes:
        token: its token.
        pipeline: its pipeline.
        status: as in ``run --json``; ``running`` while a process works on it,
            ``failed`` where it was killed before it could record an end.
        started_at: seconds since 1970, UTC; None where no record tells.
        ended_at: likewise; None while it runs.
        seconds: wall-clock seconds; None while it runs.
        rows: counts as in ``run --json``, where they are known.
        error: text of the first error.
        stages: one entry a stage.
        damaged: records of it that cannot be read.
    """

    token: str
    pipeline: str
    status: str
    started_at: float | None
    ended_at: float | None
    seconds: float | None
    rows: dict[str, Any]
    error: str | None
    stages: tuple[dict[str, Any], ...] = ()
    damaged: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {key: value for key, value in asdict(self).items() if key != "damaged"}


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
        return [_summary(runs, pipeline, name)]
    if name is not None:
        project.pipeline(name)
    pipelines = [name] if name else runs.pipelines()
    chosen = runs.newest(pipelines, page * PAGE)[(page - 1) * PAGE :]
    return [_summary(runs, pipeline, token) for pipeline, token in chosen]


def _summary(runs: RunLog, pipeline: str, token: str) -> RunSummary:
    alive = runs.is_alive(pipeline, token)  # asked first: a run that ends now has its end recorded below
    record = runs.record(pipeline, token)
    entries, started = record.entries, record.began
    damaged = () if alive else record.damaged  # the last record of a run that goes on may be half written
    end = ending(entries, alive=alive)
    error = next((entry.body["error"] for entry in entries if entry.stage == "error"), None)
    if error is None and end.status in _FAILED:
        error = next(
            (entry.body["error"] for entry in entries if entry.stage == "step" and "error" in entry.body), None
        )
    if error is None and end.status == "failed" and end.at is None:
        error = _DAMAGED.format(damaged[-1], pipeline) if damaged else KILLED
    return RunSummary(
        token=token,
        pipeline=pipeline,
        status=end.status,
        started_at=started,
        ended_at=end.at,
        seconds=None if end.at is None or started is None else round(end.at - started, 3),
        rows=end.rows,
        error=error,
        stages=tuple({"stage": entry.stage, "at": entry.at, **entry.body} for entry in entries),
        damaged=damaged,
    )
