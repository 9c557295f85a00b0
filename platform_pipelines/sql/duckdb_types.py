"""DuckDB's names for column types, both ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.sql.arrow_types import PG_TYPE, from_arrow
from platform_pipelines.sql.types import JSON, TEXT, ColumnType

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT", 128: "HUGEINT"}
_PLAIN = {
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "null": "VARCHAR",
    "bytes": "BLOB",
    "date": "DATE",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
    "interval": "INTERVAL",
    "uuid": "UUID",
    "json": "JSON",
}
_PARSED: dict[str, ColumnType] = {
    **{name: ColumnType("int", bits) for bits, name in _INTEGERS.items()},
    **{f"U{name}": ColumnType("int", bits, signed=False) for bits, name in _INTEGERS.items()},
    **{name: ColumnType(family) for family, name in _PLAIN.items() if family != "null"},  # type: ignore[arg-type]
    "FLOAT": ColumnType("float", 32),
    "DOUBLE": ColumnType("float", 64),
    "TIMESTAMP": ColumnType("timestamp", 6),
    "TIMESTAMP_NS": ColumnType("timestamp", 9),
    "TIMESTAMP_S": ColumnType("timestamp", 0),
    "TIMESTAMP_MS": ColumnType("timestamp", 3),
    "TIMESTAMP WITH TIME ZONE": ColumnType("timestamptz", 6),
}
_MAX_DIGITS = 38
_MAX_BITS = 128
_MICROSECONDS = 6


def render(column: ColumnType) -> str:
    """The type in DuckDB's SQL."""
    if column.family == "int":
        size = min(column.size or 64, _MAX_BITS)
        return ("" if column.signed else "U") + _INTEGERS[size]
    if column.family == "decimal":
        return f"DECIMAL({column.size},{column.scale})" if _has_digits(column) else "VARCHAR"
    if column.family == "float":
        return "FLOAT" if column.size == 32 else "DOUBLE"  # noqa: PLR2004 - bits
    if column.family == "timestamp":
        return "TIMESTAMP_NS" if (column.size or 0) > _MICROSECONDS else "TIMESTAMP"
    if column.family in {"list", "struct", "map"}:
        return _render_nested(column)
    return _PLAIN.get(column.family, column.name)


def holds(column: ColumnType) -> bool:
    """Whether DuckDB has the type: no decimal in it is rendered as text."""
    if column.family == "decimal":
        return _has_digits(column)
    inner = [column.element] if column.element else []
    return all(holds(part) for part in [*inner, *(field for _, field in column.fields)])


def _has_digits(column: ColumnType) -> bool:
    return column.size is not None and column.size <= _MAX_DIGITS


def _render_nested(column: ColumnType) -> str:
    if column.family == "struct":
        return f"STRUCT({', '.join(f'{quote(name)} {render(inner)}' for name, inner in column.fields)})"
    value = render(column.element or TEXT)
    return f"{value}[]" if column.family == "list" else f"MAP({render(column.fields[0][1])}, {value})"


def parse(text: str) -> ColumnType:
    """The column type that DuckDB writes as ``text``; a type without a family keeps its text as its name."""
    found = _PARSED.get(text)
    if found is not None:
        return found
    if match := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", text):
        return ColumnType("decimal", int(match[1]), int(match[2]))
    if match := re.fullmatch(r"(.+)\[\d*\]", text, re.DOTALL):
        return ColumnType("list", element=parse(match[1]))
    if match := re.fullmatch(r"STRUCT\((.*)\)", text, re.DOTALL):
        fields = (_field(part) for part in _split(match[1]))
        return ColumnType("struct", fields=tuple((name, parse(inner)) for name, inner in fields))
    if match := re.fullmatch(r"MAP\((.*)\)", text, re.DOTALL):
        key, value = _split(match[1])
        return ColumnType("map", fields=(("key", parse(key)),), element=parse(value))
    return ColumnType("other", name=text)


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif not quoted and depth == 0 and character == ",":
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _field(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        match = re.match(r'"((?:[^"]|"")*)" (.*)', text, re.DOTALL)
        if match:
            return match[1].replace('""', '"'), match[2]
    name, _, rest = text.partition(" ")
    return name, rest


def incoming(field: pa.Field[Any]) -> ColumnType:
    """The type an arriving column gets in DuckDB.

    PostgreSQL's json, jsonb and uuid become JSON and UUID; its other types that
    travel as text stay text, and so does a numeric without precision: DuckDB has
    no decimal that could hold it.
    """
    arrow = from_arrow(field.type)
    declared = (field.metadata or {}).get(PG_TYPE, b"").decode()
    if arrow.family != "text":
        return arrow if arrow.family != "decimal" or (arrow.size or 0) <= _MAX_DIGITS else TEXT
    if declared in {"json", "jsonb"}:
        return JSON
    return ColumnType("uuid") if declared == "uuid" else TEXT
