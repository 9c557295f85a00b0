"""From a partition key to a feed, or to a message that says which keys there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import UsageError
from platform_pipelines.model import Feed
from platform_pipelines.spec.nearest import nearest

if TYPE_CHECKING:
    import datetime as dt

    from platform_pipelines.spec.pipeline import PipelineSpec


def feed(pipeline: PipelineSpec, key: str | None, now: dt.datetime) -> Feed:
    """The feed of ``key``.

    Raises:
        UsageError: no such partition at ``now``, a key that is missing, or one where none is possible.
    """
    partitions = pipeline.partitions
    if partitions is None:
        if key is None:
            return Feed(pipeline.name)
        msg = f"Pipeline `{pipeline.name}` has no partitions, so partition {key!r} does not exist. Leave it out."
        raise UsageError(msg, file=pipeline.file, line=pipeline.line)
    try:
        if key is not None and partitions.slice(key) and partitions.exists(key, now):
            return Feed(pipeline.name, key)
        problem = f"Partition {key!r} lies in the future." if key else "A partition is needed."
    except UsageError as error:
        problem = error.message
    near = nearest(key or "", partitions.keys(now)[-500:])
    msg = f"Pipeline `{pipeline.name}`: {problem} {listed(pipeline, now)}{near}"
    raise UsageError(msg, file=pipeline.file, line=pipeline.line)


def listed(pipeline: PipelineSpec, now: dt.datetime) -> str:
    """Which partitions there are at ``now``, in a sentence."""
    keys = pipeline.partitions.keys(now) if pipeline.partitions else []
    return f"There are {len(keys)}: {keys[0]} to {keys[-1]}." if keys else "There are none yet."
