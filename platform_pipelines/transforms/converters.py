"""The converters that ``map`` takes: those of ``convert``, and some that need more than a name.

``split`` cuts a text into a list. ``date``, ``timestamp`` and ``timestamptz`` may
read a format of their own, and take values without a zone for local times of one.
A name with a colon is a Python function; calling it is left to ``calling``.
Nothing is guessed: a local time that the clocks of its zone skip is rejected; one
that they show twice is taken for the later instant, as ICU does (standard time).
NULL semantics: NULL stays NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.convert import CONVERTERS, Converter, as_text, converter
from platform_pipelines.duck import literal
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import family
from platform_pipelines.spec.checked import import_path, zone

if TYPE_CHECKING:
    from collections.abc import Mapping

#: settings of ``map`` that only some converters take
SETTINGS = ("format", "timezone", "separator")
_TIMES = ("date", "timestamp", "timestamptz")
_EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1_000}
_DIRECTIVE = re.compile(r"%-?(.)", re.DOTALL)
#: directives of DuckDB's strptime that lose nothing; %n (nanoseconds) would be cut to microseconds
_DIRECTIVES = frozenset("aAbBdfgHIjmMpSyYzZ%")
_INSTANTS = frozenset("zZ")
#: an offset at the end of an ISO 8601 text, behind the ten characters of its date
_OFFSET = r"^\s*.{10}.*(Z|[+-]\d\d(:?\d\d)?)\s*$"


@dataclass(frozen=True, slots=True)
class Time:
    """SQL of a value as the time on a clock, or as an instant, and SQL that says which of the two it is."""

    local: str = "cast(null as timestamp)"
    instant: str = "cast(null as timestamptz)"
    zoned: str = "false"


@dataclass(frozen=True, slots=True)
class Call:
    """A Python function as a converter: ``module:name``."""

    path: str


def parse(where: str, known: Mapping[str, Any]) -> tuple[Converter | Call, ...]:
    """The converters of one output column, in their order.

    Args:
        where: the column, for messages.
        known: what the YAML says of it.

    Raises:
        SpecError: a converter does not exist, or does not take a setting that is given.
    """
    written = known.get("convert")
    names = list(written) if isinstance(written, list | tuple) else [written] if written is not None else []
    if not all(isinstance(name, str) and name for name in names):
        msg = f"{where}: `convert` must be a text, or a list of texts, not {written!r}."
        raise SpecError(msg)
    given = {key: known[key] for key in SETTINGS if known.get(key) is not None}
    for key, value in given.items():
        takers = ("split",) if key == "separator" else _TIMES
        if not isinstance(value, str) or not value or not set(takers) & set(names):
            msg = f"{where}: `{key}` must be a text, and goes with `convert: {'` or `'.join(takers)}`."
            raise SpecError(msg)
    return tuple(_one(where, name, given) for name in names)


def _one(where: str, name: str, given: Mapping[str, str]) -> Converter | Call:
    if name == "split":
        separator = literal(given.get("separator", ","))
        return Converter(
            "varchar[]", lambda value, kind: f"string_split({as_text(value, kind)}, {separator})", exact=True
        )
    if name in _TIMES and ("format" in given or "timezone" in given):
        return _time(where, name, given.get("format"), given.get("timezone"))
    if ":" in name:
        try:
            return Call(import_path(name))
        except ValueError as error:
            msg = f"{where}: {error}"
            raise SpecError(msg) from error
    try:
        return converter(name)
    except SpecError as error:
        msg = f"{where}: {error.message} Besides: split, and a function written as module:name."
        raise SpecError(msg) from error


def _time(where: str, name: str, pattern: str | None, timezone: str | None) -> Converter:
    try:
        place = zone(timezone or "UTC")
    except ValueError as error:
        msg = f"{where}: {error}"
        raise SpecError(msg) from error
    zoned = _check_format(where, pattern)

    def sql(value: str, kind: str) -> str:
        read = _read(value, kind, pattern, zoned=zoned)
        if name == "date":
            there = f"({read.instant}) at time zone {literal(place)}"
            return f"cast(case when {read.zoned} then {there} else {read.local} end as date)"
        instant = f"case when {read.zoned} then {read.instant} else {_instant(read.local, place)} end"
        return instant if name == "timestamptz" else f"({instant}) at time zone 'UTC'"

    return Converter(CONVERTERS[name].type, sql)


def _check_format(where: str, pattern: str | None) -> bool:
    """Whether texts of this format bear their own offset or zone.

    Raises:
        SpecError: a directive is unknown, or loses digits.
    """
    if pattern is None or pattern == "iso8601" or pattern in _EPOCHS:
        return pattern in _EPOCHS
    found = {match[1] for match in _DIRECTIVE.finditer(pattern)}
    if not found - {"%"} or found - _DIRECTIVES:
        wrong = f"%{min(found - _DIRECTIVES)} is none" if found - _DIRECTIVES else "there is none"
        listed = ", ".join(f"%{each}" for each in sorted(_DIRECTIVES))
        msg = (
            f"{where}: the format {pattern!r} must hold directives of strptime, and {wrong} that can be used. "
            f"Allowed: {listed}; or iso8601, {', '.join(_EPOCHS)}."
        )
        raise SpecError(msg)
    return bool(found & _INSTANTS)


def _read(value: str, kind: str, pattern: str | None, *, zoned: bool) -> Time:
    of = family(kind)
    if of == "timestamptz":
        return Time(instant=value, zoned="true")
    if of in {"date", "timestamp"}:
        return Time(local=f"cast({value} as timestamp)")
    if pattern in _EPOCHS and of in {"text", "integer", "decimal", "float"}:
        return Time(instant=_from_epoch(value, kind, _EPOCHS[str(pattern)]), zoned="true")
    if of != "text":
        msg = f"A column of type {kind} cannot be converted to a time by the format {pattern or 'iso8601'}."
        raise InvalidData(msg)
    if pattern is None or pattern == "iso8601":
        offset = f"coalesce(regexp_matches({value}, {literal(_OFFSET)}), false)"
        return Time(CONVERTERS["timestamp"].sql(value, kind), CONVERTERS["timestamptz"].sql(value, kind), offset)
    parsed = f"try_strptime({value}, {literal(pattern)})"
    return Time(instant=parsed, zoned="true") if zoned else Time(local=parsed)


def _from_epoch(value: str, kind: str, micros: int) -> str:
    exact = converter("decimal(38, 9)").sql(value, kind)
    scaled = f"({exact}) * {micros}"
    return f"case when {scaled} = trunc({scaled}) then make_timestamptz(try_cast({scaled} as bigint)) end"


def _instant(local: str, place: str) -> str:
    """The instant of a wall-clock time; NULL for a time that the clocks of the zone skip."""
    name = literal(place)
    there = f"(({local}) at time zone {name})"
    return f"case when {there} at time zone {name} = ({local}) then {there} end"
