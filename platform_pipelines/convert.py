r"""Converters: SQL from a value of any type to the type that is asked for.

A converter yields NULL where a value that is not NULL cannot be converted
*exactly*: ``map`` and the schema contract reject such a row. Nothing is rounded,
cut or guessed.
NULL semantics: NULL stays NULL; an empty text is a value, not NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import family

if TYPE_CHECKING:
    from collections.abc import Callable

#: largest precision of DECIMAL in Arrow, DuckDB and BigQuery's BIGNUMERIC alike
_PRECISION = 38
_SCALE = 9
_SPACE = r" \t\n\r\f\v\x{A0}\x{2000}-\x{200B}\x{3000}"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)"
_TIME = r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?"


@dataclass(frozen=True, slots=True)
class Converter:
    """One way to convert.

    Attributes:
        type: the DuckDB type of the result.
        sql: from an SQL expression and its DuckDB type to the converted one.
        exact: whether every value can be converted.
    """

    type: str
    sql: Callable[[str, str], str]
    exact: bool = False


def converter(name: str) -> Converter:
    """The converter of a name such as ``lower`` or ``decimal(18, 4)``.

    Raises:
        SpecError: there is none; the message lists them.
    """
    if found := CONVERTERS.get(name):
        return found
    match = re.fullmatch(r"decimal\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", name)
    if match and 0 < int(match[1]) <= _PRECISION and int(match[2] or 0) <= int(match[1]):
        return _decimal(int(match[1]), int(match[2] or 0))
    msg = f"Unknown converter `{name}`. Allowed: {', '.join(CONVERTERS)}, decimal(precision, scale)."
    raise SpecError(msg)


def as_text(value: str, duck_type: str) -> str:
    """A value as text: nested values as JSON, all others as DuckDB writes them."""
    return f"cast(to_json({value}) as varchar)" if family(duck_type) == "nested" else f"cast({value} as varchar)"


def _trimmed(value: str, duck_type: str) -> str:
    return rf"regexp_replace({as_text(value, duck_type)}, '^[{_SPACE}]+|[{_SPACE}]+$', '', 'g')"


def _matching(text: str, pattern: str, result: str) -> str:
    return f"case when regexp_full_match({text}, {literal(pattern)}) then {result} end"


def _impossible(duck_type: str, target: str) -> InvalidData:
    return InvalidData(f"A column of type {duck_type} cannot be converted to {target}.")


def _int(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "text":
        digits = rf"regexp_extract({_trimmed(value, duck_type)}, '^([+-]?[0-9]+)(\.0*)?$', 1)"
        return f"try_cast({digits} as bigint)"
    if kind in {"float", "decimal"}:
        return f"case when {value} = trunc({value}) then try_cast({value} as bigint) end"
    if kind in {"integer", "bool"}:
        return f"try_cast({value} as bigint)"
    raise _impossible(duck_type, "int")


def _float(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "text":
        text = _trimmed(value, duck_type)
        number = f"try_cast({text} as double)"
        finite = f"case when isfinite({number}) then {number} end"
        named = _matching(text, r"(?i)[+-]?(inf|infinity)|nan", number)
        plain = _matching(text, rf"(?i){_NUMBER}(e[+-]?\d+)?", finite)
        return f"coalesce({plain}, {named})"
    if kind in {"integer", "decimal", "float", "bool"}:
        return f"try_cast({value} as double)"
    raise _impossible(duck_type, "float")


def _decimal(precision: int, scale: int) -> Converter:
    target = f"decimal({precision}, {scale})"

    def sql(value: str, duck_type: str) -> str:
        kind = family(duck_type)
        if kind == "float":
            number = f"try_cast({value} as {target})"
            return f"case when cast({number} as double) = {value} then {number} end"
        if kind in {"text", "integer", "decimal"}:
            text = _trimmed(value, duck_type)
            fraction = rf"[+-]?(\d+(\.\d{{0,{scale}}}0*)?|\.\d{{1,{max(scale, 1)}}}0*)"
            return _matching(text, fraction, f"try_cast({text} as {target})")
        raise _impossible(duck_type, target)

    return Converter(target, sql)


def _bool(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "text":
        text = f"lower({_trimmed(value, duck_type)})"
        return (
            f"case when {text} in ('true', 't', 'yes', 'y', 'on', '1') then true "
            f"when {text} in ('false', 'f', 'no', 'n', 'off', '0') then false end"
        )
    if kind in {"integer", "decimal", "float"}:
        return f"case when {value} = 1 then true when {value} = 0 then false end"
    if kind == "bool":
        return value
    raise _impossible(duck_type, "bool")


def _timestamptz(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "text":
        text = f"regexp_replace({_trimmed(value, duck_type)}, '\\s+(Z|[+-].*)$', '\\1')"
        seconds = rf"regexp_replace({text}, '^(.{{10}}[T ]\d\d:\d\d)(Z|[+-].*)?$', '\1:00\2')"
        return _matching(text, _TIME, f"try_cast({seconds} as timestamptz)")
    if kind == "timestamptz":
        return value
    if kind == "date" or duck_type.upper() in {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"}:
        return f"cast({value} as timestamp) at time zone 'UTC'"
    raise _impossible(duck_type, "timestamptz")


def _timestamp(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "timestamp":
        return value
    if kind == "date":
        return f"cast({value} as timestamp)"
    if kind in {"text", "timestamptz"}:
        return f"({_timestamptz(value, duck_type)}) at time zone 'UTC'"
    raise _impossible(duck_type, "timestamp")


def _json(value: str, duck_type: str) -> str:
    kind = family(duck_type)
    if kind == "text":
        return f"case when json_valid({value}) then cast({value} as varchar) end"
    if kind == "decimal":
        return f"cast({value} as varchar)"
    if kind == "float":
        return f"case when isfinite({value}) then cast(to_json({value}) as varchar) end"
    return f"cast(to_json({value}) as varchar)"


CONVERTERS: dict[str, Converter] = {
    "lower": Converter("varchar", lambda value, kind: f"lower({as_text(value, kind)})", exact=True),
    "upper": Converter("varchar", lambda value, kind: f"upper({as_text(value, kind)})", exact=True),
    "trim": Converter("varchar", _trimmed, exact=True),
    "int": Converter("bigint", _int),
    "float": Converter("double", _float),
    "decimal": _decimal(_PRECISION, _SCALE),
    "bool": Converter("boolean", _bool),
    "date": Converter("date", lambda value, kind: f"cast({_timestamp(value, kind)} as date)"),
    "timestamp": Converter("timestamp", _timestamp),
    "timestamptz": Converter("timestamptz", _timestamptz),
    "string": Converter("varchar", as_text, exact=True),
    "json": Converter("varchar", _json),
}
