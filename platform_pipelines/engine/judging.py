"""Judge one batch: contract, transforms, rules, gate; rows to load and dead letters.

What each of these means is left to ``quality`` and ``transforms``; here is only
their order, and where their rows go.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.context import stamp, utc_now
from platform_pipelines.engine.outlet import Outlet
from platform_pipelines.engine.reference import references
from platform_pipelines.engine.relation import landed_relation, transformed
from platform_pipelines.quality import gate
from platform_pipelines.quality.judge import judge
from platform_pipelines.quality.judgement import Judgement
from platform_pipelines.store import Verdict

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.relation import Prepared
    from platform_pipelines.engine.validation import Decision
    from platform_pipelines.store import FeedLog, Manifest


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


def judge_batch(context: Context, log: FeedLog, manifest: Manifest, decision: Decision | None) -> Judged:
    """Judge a landed batch; the files it writes belong to nothing until the verdict is sealed.

    Raises:
        SchemaDrift: the schema contract refuses a change.
        InvalidData: a required transform failed.
    """
    with duck.connect() as connection:
        prepared = transformed(context, connection, landed_relation(context, log, manifest, connection))
        outlet = Outlet(context, log, manifest, prepared)
        try:
            if decision == "discard":
                return _discard(context, connection, manifest, prepared, outlet)
            return _judge(context, connection, manifest, prepared, outlet, lenient=decision == "release")
        except BaseException:
            outlet.abort()
            raise
