"""Builds the requests of a stream: placeholders, the watermark, what paging adds."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from platform_pipelines.connectors.rest_models import PLACEHOLDER
from platform_pipelines.cursor import nanoseconds
from platform_pipelines.errors import InvalidData
from platform_pipelines.http.exchange import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.connectors.rest_models import RestStream
    from platform_pipelines.connectors.rest_pagers import Turn
    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import Window

_CURSOR = re.compile(r"\{cursor(?P<until>\.until)?\}")
_NANOS = 1_000_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: stands for a value that is left out
_LEFT_OUT = object()


def build(spec: RestStream, turn: Turn, window: Window, parent: Mapping[str, str]) -> Request:
    """The request for one page.

    Args:
        spec: the stream.
        turn: the page.
        window: what is read.
        parent: values of the parent's fields, by field.

    Raises:
        InvalidData: the watermark has no such format.
    """
    bounds = _bounds(spec, window)
    values = {f"{spec.parent}.{name}": value for name, value in parent.items()}
    params = _params(_filled(spec.params, values, bounds))
    pairs = ((spec.cursor.param, bounds["cursor"]), (spec.cursor.until, bounds["cursor.until"]))
    asked = {name: value for name, value in pairs if name is not None and value is not None}
    in_body = spec.placed(spec.cursor.place) == "body"
    params += () if in_body else asked.items()
    body = _filled(spec.body, values, bounds) if spec.body is not None else None
    for path, value in {**(_numbers(asked, spec, window) if in_body else {}), **turn.body}.items():
        body = _put(body or {}, path.split("."), value)
    if spec.method == "POST" and body is None:
        body = {}
    if turn.url is not None:
        # the server's own link holds the stream's parameters already
        return Request(spec.method, turn.url, (), spec.headers, json=body)
    path = PLACEHOLDER.sub(lambda match: quote(values[match[0][1:-1]], safe=""), spec.path)
    paging = {name for name, _ in turn.params}
    return Request(
        spec.method, path, (*((n, v) for n, v in params if n not in paging), *turn.params), spec.headers, json=body
    )


def _numbers(asked: Mapping[str, str], spec: RestStream, window: Window) -> dict[str, Any]:
    """Bounds as a body has them: numbers, where they are seconds or integers."""
    moments = {"date", "timestamp", "timestamptz"}
    kind = next((bound.kind for bound in (window.low, window.high) if bound is not None), None)
    whole = kind == "int" or (kind in moments and spec.cursor.format in {"epoch", "epoch_ms"})
    return {name: int(value) if whole else value for name, value in asked.items()}


def _bounds(spec: RestStream, window: Window) -> dict[str, str | None]:
    zone = ZoneInfo(window.timezone or "UTC")
    low = None if window.low is None else written(window.low, spec.cursor.format, zone, up=False)
    high = None if window.high is None else written(window.high, spec.cursor.format, zone, up=True)
    return {"cursor": low, "cursor.until": high}


def written(cursor: Cursor, form: str, zone: ZoneInfo, *, up: bool) -> str:
    """A bound as the API wants it; what its format cannot hold is rounded so that nothing is left out.

    Args:
        cursor: the bound; numbers and strings are written as they are.
        form: ``iso8601``, ``epoch``, ``epoch_ms`` or a strftime pattern.
        zone: of values that carry none.
        up: whether to round up.
    """
    if cursor.kind not in {"date", "timestamp", "timestamptz"} or (form == "iso8601" and cursor.kind != "timestamp"):
        return cursor.text
    if form == "iso8601":
        return cursor.text
    nanos = _instant(cursor, zone)
    if form in {"epoch", "epoch_ms"}:
        unit = _NANOS if form == "epoch" else _NANOS // 1_000
        return str(-(-nanos // unit) if up else nanos // unit)
    return _strftime(nanos, form, zone if cursor.kind == "timestamp" else ZoneInfo("UTC"), up=up)


def _instant(cursor: Cursor, zone: ZoneInfo) -> int:
    if cursor.kind == "timestamptz":
        return nanoseconds(cursor.text)
    base, _, fraction = (f"{cursor.text}T00:00:00" if cursor.kind == "date" else cursor.text).partition(".")
    wall = dt.datetime.fromisoformat(base).replace(tzinfo=zone)
    return int((wall - _EPOCH).total_seconds()) * _NANOS + int(fraction.ljust(9, "0") or "0")


def _strftime(nanos: int, form: str, zone: ZoneInfo, *, up: bool) -> str:
    def shown(value: int) -> str:
        return (_EPOCH + dt.timedelta(microseconds=value // 1_000)).astimezone(zone).strftime(form)

    if not up:
        return shown(nanos)
    # the next value that the pattern can write, so that the bound leaves nothing out
    step = next(
        (s for mark, s in (("%f", 1_000), ("%S", _NANOS), ("%s", _NANOS), ("%M", 60 * _NANOS)) if mark in form), 0
    )
    if not step:
        step = 3_600 * _NANOS if "%H" in form or "%I" in form else 86_400 * _NANOS
    return shown(-(-nanos // step) * step)


def _filled(value: Any, values: Mapping[str, str], bounds: Mapping[str, str | None]) -> Any:  # noqa: ANN401 - any YAML value
    """The value with all placeholders replaced; what needs a bound that is not there is left out."""
    found = _fill(value, values, bounds)
    return {} if found is _LEFT_OUT else found


def _fill(value: Any, values: Mapping[str, str], bounds: Mapping[str, str | None]) -> Any:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict):
        return {k: each for k, v in value.items() if (each := _fill(v, values, bounds)) is not _LEFT_OUT}
    if isinstance(value, list | tuple):
        # an object in a list stands or falls as a whole: a filter without its value is none
        return [_fill(each, values, bounds) for each in value if not _lacks(each, bounds)]
    if not isinstance(value, str):
        return value
    if _lacks(value, bounds):
        return _LEFT_OUT
    filled = _CURSOR.sub(lambda match: str(bounds[match[0][1:-1]]), value)
    return PLACEHOLDER.sub(lambda match: values.get(match[0][1:-1], match[0]), filled)


def _lacks(value: Any, bounds: Mapping[str, str | None]) -> bool:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict):
        return any(_lacks(each, bounds) for each in value.values() if not isinstance(each, list))
    return isinstance(value, str) and any(bounds[match[0][1:-1]] is None for match in _CURSOR.finditer(value))


def _params(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in params.items():
        each = value if isinstance(value, list) else [value]
        found += [(name, str(v).lower() if isinstance(v, bool) else str(v)) for v in each if v is not None]
    return found


def _put(body: Any, keys: list[str], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The body with a value put at a path; a number stands for an element of a list."""
    first, *others = keys
    if isinstance(body, list) and first.isdecimal() and int(first) < len(body):
        place = int(first)
        return [*body[:place], _put(body[place], others, value) if others else value, *body[place + 1 :]]
    if not isinstance(body, dict):
        msg = f"`pagination.param` leads through `{first}`, and what holds it in the body is no object. Mend the path."
        raise InvalidData(msg)
    inner = body.get(first)
    return {**body, first: _put({} if inner is None else inner, others, value) if others else value}
