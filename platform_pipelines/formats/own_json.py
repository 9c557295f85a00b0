"""JSON as DuckDB writes it: with ``NaN`` and infinities, and numbers of any length.

Numbers stay the text that they are, so that nothing is rounded on the way to a column's type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class _Number(str):
    """A number's own text."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object's keys and values, as they stand."""


def parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value: objects as :class:`Pairs`, numbers as their text.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=Pairs, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def raw_type(kind: pa.DataType) -> pa.DataType:
    """The type with text in place of every scalar."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_struct(kind):
        return pa.struct([pa.field(field.name, raw_type(field.type)) for field in kind])
    if t.is_map(kind):
        return pa.map_(pa.string(), raw_type(kind.item_type))
    inner: pa.DataType | None = getattr(kind, "value_type", None)
    return pa.string() if inner is None or not t.is_nested(kind) else pa.list_(raw_type(inner))


def held_type(kind: pa.DataType) -> pa.DataType:
    """The type with text where it has none yet, for only NULLs came."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_struct(kind):
        return pa.struct([field.with_type(held_type(field.type)) for field in kind])
    if t.is_map(kind):
        return pa.map_(held_type(kind.key_type), held_type(kind.item_type))
    if t.is_list(kind):
        return pa.list_(held_type(kind.value_type))
    return pa.string() if t.is_null(kind) else kind


def raw_value(value: Any, kind: pa.DataType) -> Any:  # noqa: ANN401 - any JSON value
    """A parsed value of the column's type, as :func:`raw_type` holds it.

    Raises:
        ValueError: the value has another shape.
    """
    import pyarrow.types as t

    if value is None:
        return None
    if not t.is_nested(kind):
        return _text(value)
    keyed = t.is_struct(kind) or t.is_map(kind)
    if not isinstance(value, Pairs if keyed else list) or (not keyed and isinstance(value, Pairs)):
        msg = f"{_text(value)[:100]!r} is no {kind}"
        raise ValueError(msg)
    if t.is_map(kind):
        return [(key, raw_value(each, kind.item_type)) for key, each in value]
    if t.is_struct(kind):
        held = dict(value)
        return {field.name: raw_value(held.get(field.name), field.type) for field in kind}
    inner: pa.DataType = kind.value_type  # type: ignore[union-attr]
    return [raw_value(each, inner) for each in value]


def raw_cell(value: Any, field: pa.Field[Any]) -> Any:  # noqa: ANN401 - any JSON value
    """The same of a whole column's value, which may be JSON itself.

    Raises:
        ValueError: the value has another shape.
    """
    if value is not None and (field.metadata or {}).get(b"pipelines_type") == b"json":
        return _json(value)
    return raw_value(value, field.type)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A scalar's text, and an object's or array's JSON."""
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{_json(key)}:{_json(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
