"""Which of two versions of a row stays when a load meets rows that are there already.

Tables in memory and table folders share these rules; SQL databases follow the
same ones in their own statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.formats.common_type import exact
from platform_pipelines.model import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from platform_pipelines.model import Load

#: prefix of bookkeeping columns
RESERVED = "_pipelines_"


def kept_columns(load: Load) -> list[str]:
    """The columns of the load that a table keeps: no bookkeeping but the cursor that merge compares and the mark."""
    kept = {DELETED_AT, load.cursor if load.mode in {"merge", "update"} else None}
    return [name for name in load.schema.names if not name.startswith(RESERVED) or name in kept]


def same_key(load: Load, stage: str = "s", target: str = "t") -> str:
    """The join condition of a staged row and the row it replaces."""
    return " and ".join(f"{stage}.{quote(k)} = {target}.{quote(k)}" for k in load.key)


def wins(load: Load, feed: str, *, comparable: bool, stage: str = "s", target: str = "t") -> str:
    """The condition under which a staged row replaces the row of its key; NULL counts as no.

    Args:
        load: the load.
        feed: SQL expression of the feed that wrote the row that is there.
        comparable: whether the rows that are there have the cursor column.
        stage: alias of the staged rows.
        target: alias of the rows that are there.
    """
    own = f"{feed} = {literal(load.feed.id)}"
    if load.own:
        return own
    if load.cursor is None or not comparable:
        return "true"
    cursor = quote(load.cursor)
    rule = f"{stage}.{cursor} >= {target}.{cursor} or {target}.{cursor} is null"
    # a version without a cursor overwrites what its own feed loaded before: it was read later
    return f"({own} or {rule})" if load.fresh else f"({own} and {stage}.{cursor} is null or {rule})"


def removes(load: Load, stage: str = "s") -> str:
    """The condition under which a staged row deletes the row of its key."""
    if load.mode == "delete":
        return "true"
    if load.delete_field is None or load.delete_action == "soft":
        return "false"
    return f"{stage}.{quote(load.delete_field)} is not null"


def lost_columns(old: pa.Schema | None, load: Load) -> list[str]:
    """Columns that are there, and lose their values because a new epoch brings them in a type that goes with none.

    Raises:
        SchemaDrift: there are some, and nobody allowed it.
    """
    from platform_pipelines.errors import SchemaDrift

    known = {field.name: field for field in old or ()} if load.fresh else {}
    names = [name for name in kept_columns(load) if name in known and name not in load.key]
    lost = [name for name in names if _common(known[name], load.schema.field(name)) is None]
    if lost and not load.allow_destructive:
        msg = (
            f"This load would lose values of {load.table}: columns {', '.join(lost)} come in another type. "
            "Run it with `--allow-destructive` if that is meant."
        )
        raise SchemaDrift(msg)
    return lost


def without(schema: pa.Schema | None, names: Collection[str]) -> pa.Schema | None:
    """The schema less some columns."""
    import pyarrow as pa

    if schema is None or not names:
        return schema
    return pa.schema([field for field in schema if field.name not in names])


def unified(old: pa.Schema | None, new: pa.Schema) -> pa.Schema:
    """One schema for both: columns of the old first, types widened where they differ.

    Raises:
        InvalidData: a column's types have no common type that holds both.
    """
    import pyarrow as pa

    from platform_pipelines.errors import InvalidData

    if old is None:
        return new
    fields = {field.name: field for field in old}
    for field in new:
        known = fields.get(field.name, field)
        both = _common(known, field)
        if both is None:
            msg = (
                f"Column {field.name!r} is {known.type} in the table and {field.type} in the load; no type holds both. "
                "Convert it by a `map` transform, load it under another name, or re-create the column with "
                "`pipelines run NAME --full-refresh --allow-destructive`."
            )
            raise InvalidData(msg)
        fields[field.name] = both.with_nullable(True)  # noqa: FBT003 - pyarrow's signature
    return pa.schema(list(fields.values()))


def _common(known: pa.Field[Any], field: pa.Field[Any]) -> pa.Field[Any] | None:
    """A field that holds what both hold; None if there is none."""
    import pyarrow as pa

    if known.type == field.type:
        return known
    try:
        pair = (known.with_type(_timed(known.type, field.type)), field.with_type(_timed(field.type, known.type)))
        both = pa.unify_schemas([pa.schema([each]) for each in pair], promote_options="permissive").field(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    kind = exact(both.type, known.type, field.type)
    return None if kind is None else both.with_type(kind)


def _timed(kind: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type of midnights where dates meet timestamps, which pyarrow has no common type for."""
    import pyarrow.types as t

    return other if t.is_date(kind) and t.is_timestamp(other) and not other.tz else kind
