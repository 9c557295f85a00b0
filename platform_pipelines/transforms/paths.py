"""Dotted paths of ``map``: ``contact.email`` in a struct, a map, a list or JSON text.

A column whose whole name is the path comes first. In JSON text and lists a
number is a position, counted from 0. NULL semantics: a key that is not there,
a JSON null and a step into NULL are NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote
from platform_pipelines.relations import family

if TYPE_CHECKING:
    from platform_pipelines.transforms.step import Step


#: digits that a double may not hold
_DIGITS = "[0-9.]{16}"
#: a JSON text as it is written, or a number of many digits
_TOKENS = r'("(?:[^"\\]|\\.)*")|(-?[0-9][0-9.]{15,}(?:[eE][+-]?[0-9]+)?)'
_MARK = "\ue000\ue001"
_MARKED = f'"{_MARK}([^"]*)"|^{_MARK}(.*)$'


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads.

    Attributes:
        sql: the value's expression.
        type: its DuckDB type.
        column: the column, where the path is one as it stands.
        broken: expression that is true where the JSON text cannot be read; None
            where no JSON text is on the way.
    """

    sql: str
    type: str
    column: str | None = None
    broken: str | None = None


def find(step: Step, path: str) -> Place | None:
    """Follow a path; None if these columns have no such place."""
    if path in step.columns:
        return Place(quote(path), step.columns[path], path)
    name, *rest = path.split(".")
    if name not in step.columns or not rest:
        return None
    place = Place(quote(name), step.columns[name])
    for position, key in enumerate(rest):
        if family(place.type) == "text":
            return _in_json(place.sql, rest[position:])
        inner = _inside(step, place, key)
        if inner is None:
            return None
        place = inner
    return place


def _in_json(text: str, keys: list[str]) -> Place:
    # JSON Pointer (RFC 6901): any key can be written, which JSONPath in DuckDB does not allow.
    pointer = literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys))
    exact = f"case when regexp_matches({text}, {literal(_DIGITS)}) then {_verbatim(text, pointer)} "
    value = f"case when json_valid({text}) then {exact} else json_extract_string({text}, {pointer}) end end"
    return Place(f"({value})", "VARCHAR", broken=f"({text} is not null and not json_valid({text}))")


def _verbatim(text: str, pointer: str) -> str:
    """Extracts from JSON text, numbers digit for digit: DuckDB's reader would make doubles of them.

    Long numbers become marked texts on the way. Control characters tell them from
    texts that look like numbers, for there are none in valid JSON.
    """
    tagged = f"regexp_replace({text}, {literal(_TOKENS)}, '\\1' || chr(1) || '\\2' || chr(2), 'g')"
    numbers = f"replace({tagged}, chr(1) || chr(2), '')"
    quoted = f"""replace(replace({numbers}, chr(1), '"' || {literal(_MARK)}), chr(2), '"')"""
    found = f"json_extract_string({quoted}, {pointer})"
    return f"regexp_replace({found}, {literal(_MARKED)}, '\\1\\2', 'g')"


def _inside(step: Step, place: Place, key: str) -> Place | None:
    if place.type.endswith("]"):
        sql = f"list_extract({place.sql}, {int(key) + 1})" if key.isdecimal() else None
    elif place.type.startswith("MAP"):
        sql = f"map_extract_value({place.sql}, {literal(key)})"
    elif place.type.startswith("STRUCT"):
        sql = f"struct_extract({place.sql}, {literal(key)})"
    else:
        sql = None
    kind = _type_of(step, sql) if sql else None
    return Place(sql, kind) if sql and kind else None


def _type_of(step: Step, sql: str) -> str | None:
    import duckdb

    try:
        row = step.connection.execute(f"describe select {sql} from {quote(step.source)}").fetchone()
    except duckdb.BinderException:
        return None
    return str(row[1]) if row else None
