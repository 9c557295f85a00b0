"""What the transforms make of one landed row: which of them took it away, and what its key was called before.

The row is sent through the transforms as they are declared today. Those that
make new rows of many (sql, aggregate, function) cannot be followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.engine.batching import WHOLE_BATCH_TRANSFORMS
from platform_pipelines.engine.masking import behind_landing
from platform_pipelines.engine.reference import references
from platform_pipelines.errors import PipelinesError
from platform_pipelines.relations import columns
from platform_pipelines.spec.secrets import mask
from platform_pipelines.transforms import chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.rowkey import RowKey
    from platform_pipelines.engine.sightings import Search, Sighting
    from platform_pipelines.spec import TransformSpec
    from platform_pipelines.store import FeedLog, Manifest

_RELATION = "traced_row"


@dataclass(frozen=True, slots=True)
class Step:
    """Where a row went.

    Attributes:
        filtered: whether a transform took it away.
        detail: one sentence.
        transform: the label of the transform that decided.
    """

    filtered: bool
    detail: str
    transform: str | None = None


def retrace(context: Context, search: Search, manifest: Manifest, seen: Sighting) -> Step:
    """Send a landed row through the transforms once more."""
    if manifest.kind == "replay":
        return Step(filtered=False, detail="brought back as a dead letter")
    search.relation(seen, _RELATION)
    followed, opaque = _followed(behind_landing(context.pipeline.transforms))
    cursor = context.pipeline.source.cursor
    try:
        result = chain.apply(
            search.connection,
            _RELATION,
            followed,
            cursor=cursor.field if cursor else None,
            lookup=references(context),
            file=context.pipeline.file,
        )
    except PipelinesError as error:
        return Step(filtered=False, detail=f"the transforms cannot be retraced: {mask(str(error))}")
    taken = next((item for item in result.outcomes if item.rows_in and not item.rows_out and not item.rejected), None)
    if taken is not None:
        return Step(
            filtered=True, detail=f"filtered by transform `{taken.label}` ({taken.kind})", transform=taken.label
        )
    if opaque is not None:
        detail = f"went into transform `{opaque.label}` ({opaque.kind}), which makes new rows: it cannot be followed"
        return Step(filtered=False, detail=detail, transform=opaque.label)
    return Step(filtered=False, detail="passed today's transforms, under another key or under other declarations then")


def columns_after(context: Context, logs: Sequence[FeedLog]) -> tuple[list[str], list[str]]:
    """Columns of the rows as they landed last, and of those that were loaded last."""
    before: list[str] = []
    after: list[str] = []
    for log in logs:
        for epoch in log.epochs()[-1:]:
            last = log.last(epoch)
            before += last.schema.names if last and last.schema is not None else []
        live = log.live_epoch()
        sealed = max(log.sealed(live), default=0) if live is not None else 0
        verdict = log.verdict(live, sealed) if live is not None and sealed else None
        after += verdict.schema.names if verdict and verdict.schema is not None else []
    return before, after if context.pipeline.transforms else before


def source_names(
    context: Context, connection: duckdb.DuckDBPyConnection, logs: Sequence[FeedLog], key: RowKey
) -> Mapping[str, str]:
    """What the columns of the key were called when they landed, as far as they passed unchanged."""
    same = {name: name for name in key.values}
    followed, opaque = _followed(behind_landing(context.pipeline.transforms))
    schema = next((m.schema for log in logs for e in log.epochs() if (m := log.last(e)) and m.schema is not None), None)
    if not context.pipeline.transforms or schema is None:
        return same
    connection.register("traced_schema", schema.empty_table())
    try:
        result = chain.apply(
            connection, "traced_schema", followed, cursor=None, lookup=references(context), file=context.pipeline.file
        )
    except PipelinesError:
        return same
    # a column that the transforms make is looked for in what they make, one that they drop in what landed
    made = set() if opaque else set(columns(connection, result.relation)) - set(result.origins)
    return {name: result.origins.get(name, name) for name in same if name not in made}


def _followed(transforms: Sequence[TransformSpec]) -> tuple[list[TransformSpec], TransformSpec | None]:
    """The transforms up to the first that makes new rows of many, and that one."""
    followed: list[TransformSpec] = []
    for spec in transforms:
        if spec.kind in WHOLE_BATCH_TRANSFORMS:
            return followed, spec
        followed.append(spec)
    return followed, None
