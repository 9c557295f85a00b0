"""What one run carries with it: the project, the pipeline, its options, and how to report progress."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines import scratch
from platform_pipelines.connectors.registry import open_connector
from platform_pipelines.store.runs import new_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import FeedLog


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come.

    Attributes:
        stage: extract, validate or load.
        feed: the feed it works on.
        rows: rows so far.
        bytes: bytes so far.
        destination: the destination, while loading.
    """

    stage: Literal["extract", "validate", "load"]
    feed: Feed
    rows: int
    bytes: int
    destination: str | None = None


@dataclass(frozen=True)
class Context:
    """One run of one pipeline.

    Attributes:
        project: connectors, pipelines and the landing log.
        pipeline: what is run.
        token: ``pt-…``, kept in manifests, offsets and records.
        run_id: the Dagster run's id, or the token.
        full_refresh: begin a new epoch, whatever the pipeline's mode.
        window: re-read the cursor window [A, B), without moving the watermark.
        allow_destructive: columns at destinations may be dropped or narrowed.
        progress: called as stages go on.
    """

    project: Project
    pipeline: PipelineSpec
    token: str = field(default_factory=new_token)
    run_id: str = ""
    full_refresh: bool = False
    window: tuple[str, str] | None = None
    allow_destructive: bool = False
    progress: Callable[[Progress], None] | None = None

    def log(self, feed: Feed) -> FeedLog:
        """The feed's log."""
        return self.project.store.feed(feed)

    @cached_property
    def source(self) -> Connector:
        """The source's connector, secrets resolved."""
        return self.connector(self.pipeline.source.connector)

    def connector(self, name: str) -> Connector:
        """A connector of this pipeline, opened once a run, secrets resolved."""
        if name not in self._opened:
            spec = self.project.catalog.connector(self.pipeline, name)
            self._opened[name] = open_connector(spec, self.project.root, self.project.state)
        return self._opened[name]

    def report(self, progress: Progress) -> None:
        """Tell whoever listens."""
        if self.progress is not None:
            self.progress(progress)

    def record(self, stage: str, body: dict[str, Any]) -> None:
        """Add to the run's record."""
        self.project.store.runs.add(self.pipeline.name, self.token, stage, body)

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """What a run does from beginning to end: others see that it lives, and what the dead left behind goes."""
        with self.project.store.runs.alive(self.pipeline.name, self.token):
            scratch.sweep()
            self.project.store.schemas(self.pipeline.name).sweep()
            yield

    @cached_property
    def judged(self) -> list[Feed]:
        """The feeds that this run has judged; what passed may wait to be loaded still."""
        return []

    @cached_property
    def referenced(self) -> dict[tuple[str, str, tuple[str, ...]], pa.Table]:
        """Small tables that this run has read for joins and foreign keys."""
        return {}

    @cached_property
    def _opened(self) -> dict[str, Connector]:
        return dict(self.project.connectors)


def utc_now() -> dt.datetime:
    """Now, in UTC: for records and names of partitions, never for a watermark."""
    return dt.datetime.now(dt.UTC)


def stamp() -> str:
    """Now in ISO 8601, for manifests and verdicts."""
    return utc_now().isoformat(timespec="microseconds")
