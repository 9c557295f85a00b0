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
    """See :func:`last_schema`; None where no transform asks for it."""
    asked = any(spec.kind == "python" for spec in context.pipeline.transforms)
    return last_schema(context, manifest) if asked else None


def last_schema(context: Context, manifest: Manifest) -> pa.Schema | None:
    """The schema of the last rows judged before this batch, of its epoch or the one before; None for the first."""
    log = context.log(manifest.feed)
    for epoch in sorted((each for each in log.epochs() if each <= manifest.epoch), reverse=True)[:2]:
        for sequence in sorted(log.sealed(epoch), reverse=True):
            if (epoch, sequence) >= (manifest.epoch, manifest.sequence):
                continue
            verdict = log.verdict(epoch, sequence)
            # a batch of deletes has keys alone
            if verdict and verdict.schema is not None and log.manifest(epoch, sequence).kind != "deletes":
                return verdict.schema
    return None
