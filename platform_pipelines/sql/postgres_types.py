"""PostgreSQL's names for column types, both ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from platform_pipelines.sql.arrow_types import PG_TYPE, from_arrow
from platform_pipelines.sql.types import JSON, TEXT, ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_TYPE = re.compile(
    r"(?P<base>.+?)(?:\((?P<size>\d+)(?:,(?P<scale>-?\d+))?\))?(?P<zone> with(?:out)? time zone)?(?P<list>(?:\[\])*)"
)
_PLAIN = {
    "boolean": "bool",
    "bytea": "bytes",
    "date": "date",
    "uuid": "uuid",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
}
_SIZED = {
    "smallint": ColumnType("int", 16),
    "integer": ColumnType("int", 32),
    "bigint": ColumnType("int", 64),
    "real": ColumnType("float", 32),
    "double precision": ColumnType("float", 64),
    "json": ColumnType("json", name="json"),
    "jsonb": ColumnType("json", name="jsonb"),
}
_TEXTS = {"text": "", "character varying": "", "character": "character"}
_RENDERED = {family: name for name, family in _PLAIN.items()} | {"null": "text", "interval": "interval"}
_WIDE = 64


def parse(text: str) -> ColumnType:
    """The column type that PostgreSQL's ``format_type`` writes as ``text``."""
    match = _TYPE.fullmatch(text)
    if match is None:
        return ColumnType("other", name=text)
    if match["list"]:
        return ColumnType("list", element=parse(text[: -len(match["list"])]))
    name = match["base"] + (match["zone"] or "")
    size = int(match["size"]) if match["size"] else None
    found = _SIZED.get(name) or _parse_sized(name, size, int(match["scale"] or 0))
    return found or ColumnType("other", name=text)


def _parse_sized(name: str, size: int | None, scale: int) -> ColumnType | None:
    if name in _TEXTS:
        return ColumnType("text", 1 if name == "character" and size is None else size, name=_TEXTS[name], declared=True)
    if name == "numeric":
        return None if scale < 0 else ColumnType("decimal", size, scale)
    if name == "interval":
        return ColumnType("interval", name="" if size is None else f"interval({size})")
    return ColumnType(_PLAIN[name], size) if name in _PLAIN else None  # type: ignore[arg-type]


def render(column: ColumnType) -> str:
    """The type in PostgreSQL's SQL."""
    writer = {
        "int": _render_int,
        "decimal": _render_decimal,
        "text": _render_text,
        "list": _render_list,
        "timestamp": _render_time,
        "timestamptz": _render_time,
        "time": _render_time,
    }.get(column.family)
    if writer:
        return writer(column)
    if column.family == "float":
        return "real" if column.size == 32 else "double precision"  # noqa: PLR2004 - bits
    return column.name or ("jsonb" if column.family == "json" else _RENDERED[column.family])


def _render_int(column: ColumnType) -> str:
    names = {8: "smallint", 16: "smallint", 32: "integer", 64: "bigint"}
    return names.get(column.size or _WIDE, "numeric")


def _render_decimal(column: ColumnType) -> str:
    return "numeric" if column.size is None else f"numeric({column.size},{column.scale})"


def _render_text(column: ColumnType) -> str:
    return "text" if column.size is None else f"{column.name or 'character varying'}({column.size})"


def _render_list(column: ColumnType) -> str:
    return f"{render(column.element or TEXT)}[]"


def _render_time(column: ColumnType) -> str:
    name = _RENDERED[column.family]
    base, _, zone = name.partition(" ")
    return name if column.size is None or column.size >= 6 else f"{base}({column.size}) {zone}"  # noqa: PLR2004 - digits


def incoming(field: pa.Field[Any], known: Callable[[str], bool]) -> ColumnType:
    """The type an arriving column gets in PostgreSQL.

    Args:
        field: the column; its ``pg_type`` metadata counts while it agrees with the Arrow type.
        known: whether this database has a type of that name (enums, domains, extensions).
    """
    arrow = _storable(from_arrow(field.type))
    text = (field.metadata or {}).get(PG_TYPE, b"").decode()
    if not text:
        return arrow
    declared = parse(text)
    if declared.family in {"other", "list"} and not known(text):
        return arrow
    return declared if _agree(arrow, declared) else arrow


def _storable(column: ColumnType) -> ColumnType:
    """What PostgreSQL has for a type: no unsigned integers, nested values as jsonb."""
    if column.nested:
        return JSON
    if column.family == "int" and not column.signed:
        size = (column.size or _WIDE) * 2
        return ColumnType("int", size) if size <= _WIDE else ColumnType("decimal", 20)
    if column.family in {"timestamp", "timestamptz"}:
        return ColumnType(column.family)
    if column.family == "list" and column.element is not None:
        return ColumnType("list", element=_storable(column.element))
    return ColumnType("int", 16) if column.family == "int" and column.size == 8 else column  # noqa: PLR2004 - bits


def _agree(arrow: ColumnType, declared: ColumnType) -> bool:
    """Whether a column of the Arrow type can still be of the declared type, or a transform changed it."""
    if arrow.family == "list" and declared.family == "list" and arrow.element and declared.element:
        return arrow.element.family == "text" or _agree(arrow.element, declared.element)
    if arrow.family == "text":
        travels_as_text = {"text", "json", "uuid", "interval", "other", "list"}
        unbounded = declared.family == "decimal" and (declared.size is None or not is_native(declared))
        return declared.family in travels_as_text or unbounded
    return arrow == declared or (arrow.family == declared.family and arrow.family not in {"int", "float", "decimal"})


def is_native(column: ColumnType) -> bool:
    """Whether a decimal travels as an Arrow decimal."""
    return column.size is not None and 0 <= column.scale <= column.size <= 38  # noqa: PLR2004 - Arrow's decimal128
