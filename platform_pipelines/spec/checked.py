"""Texts with a grammar: cron, zone, regular expression, import path, cursor text."""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from platform_pipelines.spec.nearest import nearest

_IMPORT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_CRON_FIELDS = 5
#: where the search for a date that matches begins; croniter looks 50 years ahead
_ANY_DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@functools.cache
def zone(name: str) -> str:
    """An IANA zone name that exists on this machine or in the tzdata package.

    Raises:
        ValueError: no such zone.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = nearest(name, _zones()) or nearest(name, [each for each in _zones() if "/" not in each])
        msg = f"Unknown time zone {name!r}. Allowed: IANA names such as UTC, Europe/Berlin, America/New_York.{hint}"
        raise ValueError(msg) from error
    return name


@functools.cache
def cron(text: str) -> str:
    """A cron expression of five fields, or an alias such as ``@daily``.

    Raises:
        ValueError: croniter cannot read it, or no date matches it, such as February 30.
    """
    from croniter import CroniterBadDateError, croniter

    count = _CRON_FIELDS if text.startswith("@") else len(text.split())
    problem = "" if count == _CRON_FIELDS else f"it has {count} fields"
    try:
        if not problem:
            croniter(text, _ANY_DAY).get_next()
    except CroniterBadDateError:
        problem = "no date matches it"
    except (ValueError, KeyError, AttributeError) as error:
        problem = str(error).rstrip(".")
    if problem:
        msg = (
            f"Bad cron expression {text!r}: {problem}. Write five fields, minute hour day month weekday, "
            'such as "0 */6 * * *", or @hourly, @daily, @weekly, @monthly.'
        )
        raise ValueError(msg)
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        where = "" if error.pos is None else f" at position {error.pos}"
        msg = f"Pattern {text!r} is not a regular expression: {error.msg}{where}. Quote it with '…' in YAML."
        raise ValueError(msg) from error
    return text


def import_path(text: str) -> str:
    """A dotted module, a colon, a name in it.

    Raises:
        ValueError: another shape.
    """
    if not _IMPORT.fullmatch(text):
        hint = f" Did you mean `{':'.join(text.rsplit('.', 1))}`?" if re.fullmatch(r"\w+(\.\w+)+", text) else ""
        msg = f"{text!r} is not an import path. Write module:name, such as my_module:tidy.{hint}"
        raise ValueError(msg)
    return text


def scalar_text(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """The text of an integer or decimal written without quotes; anything else as it is."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Zone = Annotated[str, AfterValidator(zone)]
Cron = Annotated[str, AfterValidator(cron)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ImportPath = Annotated[str, AfterValidator(import_path)]
CursorText = Annotated[str, BeforeValidator(scalar_text), WithJsonSchema({"type": ["string", "number"]})]
