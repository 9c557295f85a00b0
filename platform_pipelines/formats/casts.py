"""How text becomes a typed value: for each SQL type a check that nothing is lost, and the cast.

DuckDB's own casts are generous (``1.5`` becomes the integer 2, ``00123`` 123,
nanoseconds are cut off), so each type is guarded by its own check here. Which
type a column gets is left to ``settle``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.duck import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.formats.options import TextOptions

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,{digits}}})?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_BYTES = {"TINYINT": 3, "UTINYINT": 3, "SMALLINT": 5, "USMALLINT": 5, "INTEGER": 10, "UINTEGER": 10, "UBIGINT": 20}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_SCALES = (2, 4, 6, 9, 12, 19, 28)
_MOST_DIGITS = 38

#: declared types that Parquet does not keep: what holds all of their values, or the digits that can be held
_LANDED = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}
#: declared types whose values are checked, and land as the text that they are
_AS_TEXT = frozenset({"UUID", "INTERVAL", "BIT", "TIME WITH TIME ZONE"})

TEXT = "VARCHAR"
JSON = "JSON"
ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, slots=True)
class Cast:
    """One way to read text; ``$x`` stands for the text's SQL expression.

    Attributes:
        type: the SQL type.
        check: SQL condition that holds where the value survives.
        value: SQL expression of the typed value, NULL where it does not.
        json: whether the text must be the value's JSON, not its content.
        form: a part of the check that is enough where ``value`` is not NULL; None for the whole check.
    """

    type: str
    check: str
    value: str
    json: bool = False
    form: str | None = None

    def fits(self, text: str) -> str:
        """SQL condition: NULL, or a value of the type."""
        return (
            "true" if self.check == "true" else f"({text} is null or coalesce({self.check.replace('$x', text)}, false))"
        )

    def typed(self, text: str) -> str:
        """SQL expression of the typed value."""
        return self.value.replace("$x", text)

    def exact(self, text: str, otherwise: str) -> str:
        """SQL expression of the typed value; of a text that is none, what ``otherwise`` says."""
        if self.check == "true":
            return self.typed(text)
        form = (self.form or self.check).replace("$x", text)
        found = f"case when {form} then {self.typed(text)} end"
        return f"coalesce({found}, case when {text} is not null then {otherwise} end)"

    def null(self) -> str:
        """SQL expression of NULL in the type; JSON is kept as text."""
        return f"null::{TEXT if self.type == JSON else self.type}"


def strict(sql_type: str, options: TextOptions) -> Cast:
    """The cast for a type that nobody declared: the text must be in the type's usual form."""
    if sql_type in _INTEGERS:
        return Cast(sql_type, f"try_cast($x as {sql_type})::varchar = $x", f"try_cast($x as {sql_type})")
    if match := _DECIMAL.fullmatch(sql_type):
        if match[2] == "0":  # digits alone decide; trying the cast costs ten times as much
            digits = f"0|-?[1-9][0-9]{{0,{int(match[1]) - 1}}}"
            return Cast(sql_type, f"regexp_full_match($x, {literal(digits)})", f"try_cast($x as {sql_type})")
        return _matched(sql_type, rf"-?(0|[1-9][0-9]*)(\.[0-9]{{0,{match[2]}}}0*)?")
    if sql_type in {"DOUBLE", "FLOAT"}:
        return _float(sql_type)
    special = {
        "BOOLEAN": _boolean(),
        "BLOB": Cast(sql_type, "try(from_base64($x)) is not null", "try(from_base64($x))"),
    }.get(sql_type)
    return special or _time(sql_type, options, zone_needed=True) or _other(sql_type)


def declared(sql_type: str, options: TextOptions) -> Cast:
    """The cast for a declared type: any usual way to write it, as long as nothing but the form is lost.

    Types that Parquet would give back as something else are landed as the nearest one that it keeps.
    """
    if sql_type in _AS_TEXT:
        return Cast(TEXT, f"try_cast($x as {sql_type}) is not null", "$x")
    sql_type = _LANDED.get(sql_type, sql_type)
    if sql_type in _INTEGERS:
        return _matched(sql_type, r"\s*[+-]?[0-9]+\s*")
    if match := _DECIMAL.fullmatch(sql_type):
        fraction = rf"|\.[0-9]{{1,{match[2]}}}0*" if match[2] != "0" else ""
        return _matched(sql_type, rf"\s*[+-]?([0-9]+(\.[0-9]{{0,{match[2]}}}0*)?{fraction})\s*")
    if sql_type in {"DOUBLE", "FLOAT"}:
        finite = f"(isfinite(try_cast($x as {sql_type})) or regexp_full_match($x, '(?i)[+-]?(inf|infinity|nan)'))"
        return Cast(sql_type, finite, f"try_cast($x as {sql_type})")
    if sql_type == "BOOLEAN":
        return _matched(sql_type, "(?i)true|false|t|f|yes|no|y|n|1|0")
    return _time(sql_type, options, zone_needed=False) or _other(sql_type)


def candidates(options: TextOptions) -> list[Cast]:
    """The types an undeclared column is tried for, in this order; the last takes anything."""
    names = ("BOOLEAN", "BIGINT", "DECIMAL(38,0)", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMP_NS", ZONED, TEXT)
    return [strict(name, options) for name in names]


def widenings(sql_type: str, options: TextOptions) -> Iterator[Cast]:
    """The types that hold all values of ``sql_type`` exactly, nearest first."""
    if sql_type in {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}:
        yield strict("BIGINT", options)
    digits = scale = None
    if match := _DECIMAL.fullmatch(sql_type):
        digits, scale = int(match[1]) - int(match[2]), int(match[2])
    elif sql_type in _INTEGERS and sql_type != "HUGEINT":
        yield strict("DECIMAL(38,0)", options)
        digits, scale = max(19, _BYTES.get(sql_type, 19)), 0
    if digits is not None and scale is not None:
        for wider in (s for s in _SCALES if s > scale and s + digits <= _MOST_DIGITS):
            yield strict(f"DECIMAL(38,{wider})", options)
    further = {"DATE": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP_NS", "FLOAT": "DOUBLE"}.get(sql_type)
    if further:
        yield strict(further, options)


def nested(structure: str, sql_type: str, allowed: Sequence[str] | None = None) -> Cast:
    """The cast of JSON objects or arrays.

    Args:
        structure: what DuckDB's ``from_json`` takes.
        sql_type: the SQL type that comes of it.
        allowed: the structures of values that fit; None if all do.
    """
    check = "true"
    if allowed is not None:
        check = f"json_structure($x::json)::varchar in ({', '.join(map(literal, allowed)) or 'null'})"
    return Cast(sql_type, check, f"from_json($x, {literal(structure)})", json=True)


def json_text() -> Cast:
    """JSON kept as text."""
    return Cast(JSON, "json_valid($x)", "$x", json=True)


def _matched(sql_type: str, pattern: str) -> Cast:
    value, form = f"try_cast($x as {sql_type})", f"regexp_full_match($x, {literal(pattern)})"
    return Cast(sql_type, f"({form} and {value} is not null)", value, form=form)


def _printed(sql_type: str, pattern: str) -> Cast:
    """A form of which DuckDB's own, between the years 1 and 9999, is one: asking for that costs half the pattern."""
    value = f"try_cast($x as {sql_type})"
    own = f"{value} between '0001-01-01'::{sql_type} and '9999-12-31'::{sql_type} and {value}::varchar = $x"
    form = f"case when {own} then true else regexp_full_match($x, {literal(pattern)}) end"
    return Cast(sql_type, f"({form} and {value} is not null)", value, form=form)


def _boolean() -> Cast:
    """``true`` and ``false``; the usual case first, for it costs a tenth of the pattern."""
    usual = "case when $x in ('true', 'false') then true else regexp_full_match($x, '(?i)true|false') end"
    return Cast("BOOLEAN", usual, "try_cast($x as BOOLEAN)")


def _other(sql_type: str) -> Cast:
    if sql_type == TEXT:
        return Cast(TEXT, "true", "$x")
    if sql_type == JSON:
        return json_text()
    return Cast(sql_type, f"try_cast($x as {sql_type}) is not null", f"try_cast($x as {sql_type})")


def _float(sql_type: str) -> Cast:
    """A number that the float gives back: few digits, or exactly what the float would print."""
    exact = 15 if sql_type == "DOUBLE" else 6
    value = f"try_cast($x as {sql_type})"
    number = r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
    # `case` asks for the float's own text, which is dear, only where digits may be lost; `or` would ask always
    kept = f"case when length($x) <= {exact} then true else {value}::varchar = $x end"
    check = f"(regexp_full_match($x, {literal(number)}) and isfinite({value}) and {kept})"
    return Cast(sql_type, check, value)


def _time(sql_type: str, options: TextOptions, *, zone_needed: bool) -> Cast | None:
    pattern = options.date_format if sql_type == "DATE" else options.timestamp_format
    if pattern is not None and sql_type in {"DATE", "TIMESTAMP", ZONED}:
        return _formatted(sql_type, pattern)
    if sql_type == "DATE":
        return _printed(sql_type, _DAY)
    if sql_type == "TIMESTAMP":
        return _printed(sql_type, f"{_DAY}([T ]{_TIME.format(digits=6)})?")
    if sql_type == "TIMESTAMP_NS":
        return _matched(sql_type, f"{_DAY}([T ]{_TIME.format(digits=9)})?")
    if sql_type == ZONED:
        day_time = f"{_DAY}[T ]{_TIME.format(digits=6)}"
        return _matched(sql_type, f"{day_time}{_ZONE}" if zone_needed else f"{_DAY}|{day_time}{_ZONE}?")
    return None


def _formatted(sql_type: str, pattern: str) -> Cast:
    zoned = "%z" in pattern or "%Z" in pattern
    value = f"try_strptime($x, {literal(pattern)})"
    if zoned != (sql_type == ZONED) and sql_type != "DATE":
        return Cast(sql_type, "false", f"null::{sql_type}")
    return Cast(sql_type, f"{value} is not null", f"{value}::{sql_type}")
