"""The engine's stages as Dagster's steps see them: one asset each, feed by feed.

What became of each feed is kept apart, so that a partition that fails takes
none of the others along. Events are left to ``steps``. The engine is imported
when a step runs: loading the code location needs none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import dagster as dg

from platform_pipelines.engine.report import Landed, Loaded, Validated
from platform_pipelines.errors import DataError, GateClosed, StoreCorrupt
from platform_pipelines.orchestration.naming import destination_key, landing_key, validated_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.engine import Context
    from platform_pipelines.model import Feed

Report = Landed | Validated | Loaded


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one feed in one stage: a report, an error, or both (a closed gate)."""

    feed: Feed
    report: Report | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Stage:
    """One asset of a pipeline.

    Attributes:
        pipeline: its name.
    """

    pipeline: str

    @property
    def key(self) -> dg.AssetKey:
        """The asset that this stage makes."""
        raise NotImplementedError

    def one(self, context: Context, feed: Feed) -> Report:
        """Work on one feed; raises what the engine raises."""
        raise NotImplementedError

    def outcomes(self, context: Context, feeds: Sequence[Feed]) -> Iterator[Outcome]:
        """Work on all feeds, in order.

        A fault of the data, or of the log, concerns its own feed. Any other error,
        such as a system that cannot be reached, would meet the feeds behind it as
        well: it is the last outcome.
        """
        for feed in feeds:
            outcome = self._try(context, feed)
            yield outcome
            if outcome.error is not None and not isinstance(outcome.error, DataError | StoreCorrupt):
                return

    def _try(self, context: Context, feed: Feed) -> Outcome:
        try:
            return Outcome(feed, self.one(context, feed))
        except dg.Failure:
            raise
        except Exception as error:  # noqa: BLE001 - shown, masked, in the step's failure
            from platform_pipelines.engine.faults import advise, of_the_system

            advise(error, feed.pipeline)
            return Outcome(feed, held(error), of_the_system(error, f"Feed {feed.id}") or error)


@dataclass(frozen=True)
class Landing(Stage):
    """Read the source and commit what it gave."""

    @property
    def key(self) -> dg.AssetKey:
        """``[pipeline, landing]``."""
        return landing_key(self.pipeline)

    def one(self, context: Context, feed: Feed) -> Landed:
        """Land one feed."""
        from platform_pipelines.engine import land

        (landed,) = land(context, [feed])
        return landed

    def outcomes(self, context: Context, feeds: Sequence[Feed]) -> Iterator[Outcome]:
        """All feeds in one call, which may read the source once for many; one by one if data is at fault."""
        from platform_pipelines.engine import land

        if len(feeds) > 1:
            try:
                landed = land(context, feeds)
            except (DataError, StoreCorrupt):
                # Which feed it was shows when each is tried by itself; what is committed is not read again.
                yield from super().outcomes(context, feeds)
            else:
                yield from (Outcome(report.feed, report) for report in landed)
            return
        yield from super().outcomes(context, feeds)


@dataclass(frozen=True)
class Validation(Stage):
    """Judge what was landed.

    Attributes:
        decision: what a person wants done with a held batch.
    """

    decision: Literal["release", "discard"] | None = None

    @property
    def key(self) -> dg.AssetKey:
        """``[pipeline, validated]``."""
        return validated_key(self.pipeline)

    def one(self, context: Context, feed: Feed) -> Validated:
        """Judge one feed."""
        from platform_pipelines.engine import validate

        return validate(context, feed, self.decision)


@dataclass(frozen=True)
class Loading(Stage):
    """Bring one destination up to the log.

    Attributes:
        destination: its name.
    """

    destination: str

    @property
    def key(self) -> dg.AssetKey:
        """``[pipeline, destination]``."""
        return destination_key(self.pipeline, self.destination)

    def one(self, context: Context, feed: Feed) -> Loaded:
        """Load one feed."""
        from platform_pipelines.engine import load

        return load(context, feed, self.destination)


def held(error: Exception) -> Validated | None:
    """What validation found in a batch that the gate held."""
    found = error.validated if isinstance(error, GateClosed) else None
    return found if isinstance(found, Validated) else None
