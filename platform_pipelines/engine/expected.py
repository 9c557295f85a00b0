"""The columns that a feed's transforms gave last time, so that they give the same types again.

What the transforms make of them is left to each kind; what happens to a change is
left to the schema contract and the destinations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.store import Manifest


def expected_schema(context: Context, manifest: Manifest) -> pa.Schema | None:
    """The schema of the last batch judged before this one, of its epoch or the one before; None for the first."""
    if not any(spec.kind == "python" for spec in context.pipeline.transforms):
        return None
    log = context.log(manifest.feed)
    for epoch in sorted((each for each in log.epochs() if each <= manifest.epoch), reverse=True)[:2]:
        sealed = [each for each in log.sealed(epoch) if (epoch, each) < (manifest.epoch, manifest.sequence)]
        verdict = log.verdict(epoch, max(sealed)) if sealed else None
        if verdict is not None and verdict.schema is not None:
            return verdict.schema
    return None
