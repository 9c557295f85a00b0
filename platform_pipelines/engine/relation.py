"""A landed batch as a relation: under the agreed schema, then through the transforms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.expected import expected_schema, last_schema
from platform_pipelines.engine.masking import behind_landing
from platform_pipelines.engine.reference import references
from platform_pipelines.errors import DataError, SpecError
from platform_pipelines.quality import contract
from platform_pipelines.quality.contract import Change, Drift, Fitted
from platform_pipelines.relations import columns, count, unused_name
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed, selected
from platform_pipelines.sql.columnnames import check_kept
from platform_pipelines.transforms import chain
from platform_pipelines.transforms.chain import Rejects, Transformed
from platform_pipelines.transforms.passed import marks, remaining
from platform_pipelines.transforms.step import CURSOR_COLUMN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.spec.transform import TransformSpec
    from platform_pipelines.store import FeedLog, Manifest
    from platform_pipelines.transforms.passed import Passed

#: reasons of epochs whose first extract agrees on a schema anew
FRESH_SCHEMA = frozenset({"full refresh asked for", "reset"})
_LANDED = "landed"
_PLACED = "landed_placed"
#: the rule by which rows stay dead letters that nobody can send through today's transforms
_RULE = "replay"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready for its rules.

    Attributes:
        transformed: its rows after the transforms.
        agreed: the landed schema under the contract, to be recorded; None for a replay.
        rejects: rows that did not get this far, with the ``_pipelines_`` columns that say why.
        unchanged: whether the rows are those of the landed files, value for value.
        placed: the relation of the same rows with their places in the landed files, see ``rowsql.placed``; None
            where they, or their types, are others.
    """

    transformed: Transformed
    agreed: pa.Schema | None
    rejects: tuple[Rejects, ...]
    unchanged: bool = False
    placed: str | None = None


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
    if manifest.kind == "replay":
        return _replayed(context, log, manifest, connection)
    agreed = _agreed(context, log, manifest).schema
    fitted = _fitted(connection, log, manifest, agreed)
    specs = behind_landing(context.pipeline.transforms)
    prepared = _prepared(context, connection, manifest, fitted, specs)
    return replace(prepared, agreed=agreed)


def _replayed(context: Context, log: FeedLog, manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> Prepared:
    """Dead letters on their way back: those that a transform had stopped go on there, all others to the rules."""
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
    passed = marks(manifest.schema)
    if passed is None:
        return _prepared(context, connection, manifest, _fitted(connection, log, manifest, None), ())
    landed = _fitted(connection, log, manifest, None)
    try:
        specs = remaining(behind_landing(context.pipeline.transforms), passed)
        fitted = landed if passed else _refitted(context, manifest, connection)
        return _prepared(context, connection, manifest, fitted, specs, passed)
    except (DataError, SpecError) as error:
        # a row of long ago may not fit today's transforms: it stays a dead letter, and holds up nobody
        return _stopped(connection, landed.relation, passed, str(error), last_schema(context, manifest))


def _prepared(  # noqa: PLR0913, PLR0917 - each is one part of a batch
    context: Context,
    connection: duckdb.DuckDBPyConnection,
    manifest: Manifest,
    fitted: Fitted,
    specs: Sequence[TransformSpec],
    passed: tuple[Passed, ...] = (),
) -> Prepared:
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
    result = chain.apply(
        connection,
        fitted.relation,
        specs,
        cursor=_cursor_name(context, manifest.schema),
        lookup=references(context),
        file=context.pipeline.file,
        expected=expected_schema(context, manifest),
        passed=passed,
    )
    if specs:
        known = columns(connection, _LANDED)
        check_kept(manifest.schema.names, list(known), columns(connection, result.relation), result.origins)
    misfits = (_all_of(connection, fitted.rejects, ()),) if fitted.rejects else ()
    unchanged = not specs and fitted.relation == _LANDED
    placed = _PLACED if unchanged and _keeps_types(connection, manifest.schema) else None
    return Prepared(result, None, misfits + result.rejects, unchanged, placed)


def _keeps_types(connection: duckdb.DuckDBPyConnection, landed: pa.Schema) -> bool:
    """Whether rows have the same types behind DuckDB: those that rules reject come from there, and tables have them."""
    behind = connection.execute(f"from {_LANDED} limit 0").to_arrow_reader(1).schema
    return {item.name: item.type for item in behind} == {item.name: item.type for item in landed}


def _stopped(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    passed: tuple[Passed, ...],
    reason: str,
    expected: pa.Schema | None,
) -> Prepared:
    """All rows of a relation as rejects; destinations get none, under the columns they have."""
    rejects, nothing = unused_name("stopped"), unused_name("nothing")
    said = f"{duck.literal(_RULE)} as _pipelines_rule, [{duck.literal(_RULE)}] as _pipelines_rules"
    connection.execute(
        f"create temp view {rejects} as select *, {said}, {duck.literal(reason)} as _pipelines_reason from {relation}"
    )
    if expected is not None:
        connection.register(nothing, expected.empty_table())
    else:
        connection.execute(f"create temp view {nothing} as select * from {relation} limit 0")
    known = {name: name for name in columns(connection, relation)}
    empty = Transformed(nothing, 0, (), (), None, known)
    return Prepared(empty, None, (_all_of(connection, rejects, passed),))


def _all_of(connection: duckdb.DuckDBPyConnection, relation: str, passed: tuple[Passed, ...]) -> Rejects:
    known = {name: name for name in columns(connection, relation) if not name.startswith("_pipelines_r")}
    return Rejects(relation, count(connection, relation), passed, known)


def _refitted(context: Context, manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> Fitted:
    """Landed rows of long ago under the schema agreed upon since: what they lack is NULL."""
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
    established = context.project.store.schemas(context.pipeline.name).latest()
    lenient = {"new_columns": "add", "missing_columns": "null"}
    agreement = context.pipeline.quality.schema_contract.model_copy(update=lenient)
    agreed = contract.compare(established, manifest.schema, agreement).schema
    return _under(connection, manifest, agreed)


def _cursor_name(context: Context, schema: pa.Schema) -> str | None:
    cursor = context.pipeline.source.cursor
    candidates = [CURSOR_COLUMN] + ([cursor.field] if cursor else [])
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
    rows = RowFiles(tuple(log.paths(manifest.epoch, manifest.files)), plain=is_plain(manifest.schema.names))
    if rows.paths:
        connection.execute(f"create temp view {_LANDED} as from {selected(rows)}")
        connection.execute(f"create temp view {_PLACED} as from {placed(rows)}")
    else:
        connection.register(_LANDED, manifest.schema.empty_table())
        nowhere = f"null::bigint as {FILE}, null::bigint as {ROW}"
        connection.execute(f"create temp view {_PLACED} as select *, {nowhere} from {_LANDED}")
    return _under(connection, manifest, agreed)


def _under(connection: duckdb.DuckDBPyConnection, manifest: Manifest, agreed: pa.Schema | None) -> Fitted:
    assert manifest.schema is not None  # noqa: S101 - the caller has looked
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
