"""A landed batch as a relation: under the agreed schema, then through the transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.reference import references
from platform_pipelines.quality import contract
from platform_pipelines.quality.contract import Change, Drift, Fitted
from platform_pipelines.transforms import chain
from platform_pipelines.transforms.step import CURSOR_COLUMN

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.store import FeedLog, Manifest
    from platform_pipelines.transforms.chain import Transformed

#: reasons of epochs whose first extract agrees on a schema anew
FRESH_SCHEMA = frozenset({"full refresh asked for", "reset"})
_LANDED = "landed"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready for its rules.

    Attributes:
        transformed: its rows after the transforms.
        agreed: the landed schema under the contract, to be recorded; None for a replay.
        rejects: relations of rows that did not get this far, with the
            ``_pipelines_`` columns that say why.
        unchanged: whether the rows are those of the landed files, value for value.
    """

    transformed: Transformed
    agreed: pa.Schema | None
    rejects: tuple[str, ...]
    unchanged: bool


def prepare(
    context: Context, log: FeedLog, manifest: Manifest, connection: duckdb.DuckDBPyConnection
) -> Prepared | None:
    """Make the batch a relation of ``connection``; None if it never had a schema.

    Raises:
        SchemaDrift: the schema contract refuses a change.
        InvalidData: a required transform failed.
        StoreCorrupt: a batch file is missing or was changed.
    """
    if manifest.schema is None or not manifest.schema.names:
        return None
    replayed = manifest.kind == "replay"
    agreed = None if replayed else _agreed(context, log, manifest).schema
    fitted = _fitted(connection, log, manifest, agreed)
    specs = () if replayed else context.pipeline.transforms
    result = chain.apply(
        connection,
        fitted.relation,
        specs,
        cursor=_cursor_name(context, manifest.schema),
        lookup=references(context),
        file=context.pipeline.file,
    )
    rejects = ((fitted.rejects,) if fitted.rejects else ()) + tuple(item.relation for item in result.rejects)
    return Prepared(result, agreed, rejects, unchanged=not specs and fitted.relation == _LANDED)


def _cursor_name(context: Context, schema: pa.Schema) -> str | None:
    cursor = context.pipeline.source.cursor
    candidates = ([cursor.field] if cursor else []) + [CURSOR_COLUMN]
    return next((name for name in candidates if name in schema.names), None)


def _agreed(context: Context, log: FeedLog, manifest: Manifest) -> Drift:
    established = context.project.store.schemas(context.pipeline.name).latest()
    begins = manifest.sequence <= (log.first_complete(manifest.epoch) or 0)
    if begins and log.epoch_info(manifest.epoch).get("reason") in FRESH_SCHEMA:
        established = None
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
    return contract.compare(established, manifest.schema, context.pipeline.quality.schema_contract)


def _fitted(
    connection: duckdb.DuckDBPyConnection, log: FeedLog, manifest: Manifest, agreed: pa.Schema | None
) -> Fitted:
    """The landed rows under the agreed schema; column order alone is no reason to touch them."""
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
    paths = log.paths(manifest.epoch, manifest.files)
    if paths:
        listed = ", ".join(duck.literal(str(path)) for path in paths)
        connection.execute(f"create temp view {_LANDED} as from read_parquet([{listed}])")
    else:
        connection.register(_LANDED, manifest.schema.empty_table())
    if agreed is None or {f.name: f.type for f in agreed} == {f.name: f.type for f in manifest.schema}:
        return Fitted(_LANDED)
    return contract.fit(connection, _LANDED, Drift(agreed, changed=_changed(manifest.schema, agreed)))


def _changed(landed: pa.Schema, agreed: pa.Schema) -> tuple[Change, ...]:
    both = [item for item in agreed if item.name in landed.names]
    return tuple(
        Change(item.name, item.type, landed.field(item.name).type, item.type)
        for item in both
        if landed.field(item.name).type != item.type
    )
