"""Records as paths and bodies of requests: templates filled with values that JSON can hold.

``{column}`` alone becomes the value with its type, within a text the value's text;
``{column:text}`` is always text, and ``{column:json}`` the value of JSON text. Braces
that mean themselves are doubled.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: the record's idempotency key, and the records of a batch
KEY, RECORDS = "_idempotency_key", "records"
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}:]+)(?::(text|json))?\}")
_INT64 = range(-(2**63), 2**64)


class Unfit(Exception):
    """A value that no request can hold."""


def ready(value: Any) -> Any:  # noqa: ANN401 - any value of a column
    """A value as JSON writes it, exactly.

    Raises:
        Unfit: JSON has no word for it.
    """
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number(value)
    if isinstance(value, Mapping):
        return {str(key): ready(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [ready(each) for each in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, bool) else str(value)


def _number(value: float | Decimal) -> float | Decimal:
    if isinstance(value, int):
        return value if value in _INT64 else Decimal(value)
    if not math.isfinite(value):
        msg = f"holds {value}, for which JSON has no word"
        raise Unfit(msg)
    return value


def fill(template: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any YAML value
    """A template with the values in their places.

    Raises:
        Unfit: a text is to be JSON and is none.
    """
    if isinstance(template, Mapping):
        return {key: fill(each, values) for key, each in template.items()}
    if isinstance(template, list | tuple):
        return [fill(each, values) for each in template]
    if not isinstance(template, str):
        return template
    whole = _PLACE.fullmatch(template)
    if whole and whole[1]:
        return _value(whole, values)
    return _PLACE.sub(lambda match: text(_value(match, values)) if match[1] else match[0][0], template)


def path(template: str, values: Mapping[str, Any]) -> str:
    """A path with the values in their places, each one segment or a part of one.

    Raises:
        Unfit: a value is NULL, empty, or would lead elsewhere.
    """

    def put(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]
        value = _value(match, values)
        written = "" if value is None else text(value)
        if written in {"", ".", ".."}:
            msg = f"has `{match[1]}` {'NULL' if value is None else repr(written)}, which no path can hold"
            raise Unfit(msg)
        return quote(written, safe="")

    return _PLACE.sub(put, template)


def check_names(templates: Iterable[Any], columns: Iterable[str], where: str) -> None:
    """See to it that templates name columns that are there.

    Raises:
        InvalidData: one does not.
    """
    known = [*columns]
    for name in (each for template in templates for each in _names(template)):
        if name not in {*known, KEY, RECORDS}:
            msg = f"{where} names `{{{name}}}`, which is no column of the rows. Columns: {', '.join(known)}."
            raise InvalidData(msg)


def has_places(template: str) -> bool:
    """Whether a template names a column."""
    return any(True for _ in _names(template))


def without_nulls(body: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A body without members that are null."""
    if isinstance(body, dict):
        return {key: without_nulls(each) for key, each in body.items() if each is not None}
    return [without_nulls(each) for each in body] if isinstance(body, list) else body


def text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value within a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    value, how = values.get(match[1]), match[2]
    if how == "json" and isinstance(value, str):
        try:
            return ready(json.loads(value, parse_float=Decimal))
        except ValueError:
            msg = f"has `{match[1]}`, which is no JSON"
            raise Unfit(msg) from None
    return text(value) if how == "text" and value is not None else value


def _names(template: Any) -> Iterator[str]:  # noqa: ANN401 - any YAML value
    if isinstance(template, Mapping):
        template = [*template.values()]
    if isinstance(template, list | tuple):
        for each in template:
            yield from _names(each)
    elif isinstance(template, str):
        yield from (match[1] for match in _PLACE.finditer(template) if match[1])
