"""Judge one batch: contract, transforms, rules, gate; rows to load and dead letters.

What each of these means is left to ``quality`` and ``transforms``; here is only
their order, and where their rows go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.context import Progress, stamp, utc_now
from platform_pipelines.engine.incoming import conform
from platform_pipelines.engine.reference import references
from platform_pipelines.engine.sample import sample_rows
from platform_pipelines.quality import contract, gate
from platform_pipelines.store import Verdict
from platform_pipelines.store.writer import PartWriter
from platform_pipelines.transforms.chain import carry_metadata

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.validation import Decision
    from platform_pipelines.store import FeedLog, Manifest

_UNREAD = "record varchar, rule varchar, reason varchar"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict not yet sealed, a sample of its rows, and the schema it was judged under."""

    verdict: Verdict
    sample: tuple[dict[str, Any], ...] = ()
    agreed: pa.Schema | None = None

    def agree(self, context: Context) -> None:
        """Record the schema as agreed upon, once the verdict is sealed."""
        if self.agreed is not None:
            schemas = context.project.store.schemas(context.pipeline.name)
            schemas.record(self.agreed, context.token, stamp())


@dataclass
class Judging:
    """The judging of one batch."""

    context: Context
    log: FeedLog
    manifest: Manifest
    decision: Decision | None
    _sample: tuple[dict[str, Any], ...] = field(default=(), init=False)

    def judge(self) -> Judged:
        """Judge the batch.

        Raises:
            SchemaDrift: the schema contract refuses a change.
            InvalidData: a required transform failed.
        """
        ...
