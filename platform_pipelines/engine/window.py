"""Where a read begins: the watermark less lag, and less the hour that a clock repeats.

Upper bounds are left to the source, which alone knows its clock and its open
transactions.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from platform_pipelines.cursor import Cursor, CursorKind, nanoseconds
from platform_pipelines.engine.zones import CURSOR
from platform_pipelines.errors import CursorError

if TYPE_CHECKING:
    from platform_pipelines.spec import CursorSpec
    from platform_pipelines.store import Manifest

_NANOS = 1_000_000_000
_ZERO = dt.timedelta()


def reread_from(high: Cursor, cursor: CursorSpec) -> Cursor:
    """The lowest cursor at which rows may still appear after ``high`` was seen.

    That is ``high`` less ``lag``. Naive values are of a clock on the wall: where
    it was set forward within ``lag``, that much more. Where it is set back, and
    ``high`` lies in the repeated hour, rows of its second pass carry earlier
    values: the read goes back to where the repetition begins.
    """
    low = high.minus(cursor.lag)
    if high.kind == "timestamp" and cursor.timezone:
        zone = ZoneInfo(cursor.timezone)
        low = low.minus(_set_forward(high, cursor.lag, zone))
        repeated = _repetition_start(high, zone)
        if repeated is not None and low.at_least(repeated):
            return repeated
    return low


def guess_kind(text: str) -> CursorKind:
    """The type of a cursor value that a person wrote before any row was read."""
    text = text.strip()
    if re.fullmatch(r"[+-]?\d+", text):
        return "int"
    if re.fullmatch(r"[+-]?\d*\.\d+", text):
        return "decimal"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return "date"
    if re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
        return "timestamptz" if re.search(r"(Z|[+-]\d\d:?\d\d)$", text) else "timestamp"
    return "string"


def written(text: str, like: Cursor | None) -> Cursor:
    """A cursor from text that a person wrote, of the same type as ``like`` where that is known."""
    kind = like.kind if like else guess_kind(text)
    return Cursor.parse(text, kind)


def instant(cursor: Cursor, zone: ZoneInfo) -> int:
    """Nanoseconds since 1970 (UTC) of a date, timestamp or instant; one without zone is taken in ``zone``."""
    if cursor.kind == "timestamptz":
        return nanoseconds(cursor.text)
    text = f"{cursor.text}T00:00:00" if cursor.kind == "date" else cursor.text
    wall = dt.datetime.fromisoformat(text.partition(".")[0]).replace(tzinfo=zone)
    offset = wall.utcoffset() or dt.timedelta()
    return nanoseconds(text) - int(offset.total_seconds()) * _NANOS


def check_kind(found: CursorKind, cursor: CursorSpec, previous: Manifest | None, stream: str) -> None:
    """Make sure the cursor's type can be followed and is the one that was followed so far.

    Raises:
        CursorError: the type changed, or a naive timestamp has no declared zone.
    """
    watermark = previous.watermark if previous else None
    if found == "timestamp" and cursor.timezone is None:
        zone = previous.zones.get(CURSOR) if previous else None
        known = f"; it was {zone} so far" if zone else ""
        msg = (
            f"Cursor `{cursor.field}` of stream `{stream}` is a timestamp without time zone. "
            f"Say in which zone its values are: `cursor: {{field: {cursor.field}, timezone: {zone or 'UTC'}}}`{known}."
        )
        raise CursorError(msg)
    if watermark is not None and watermark.kind != found:
        msg = (
            f"Cursor `{cursor.field}` of stream `{stream}` is {found} now; the watermark {watermark.text} is "
            f"{watermark.kind}. Give the field its old type back, or start over with `--full-refresh`."
        )
        raise CursorError(msg)


def _set_forward(high: Cursor, lag: float, zone: ZoneInfo) -> float:
    """Seconds by which the clock of the zone was set forward in the ``lag`` seconds before ``high``."""
    wall = _wall(high).replace(tzinfo=zone)
    try:
        before = (wall.astimezone(dt.UTC) - dt.timedelta(seconds=lag)).astimezone(zone)
    except OverflowError:  # the first day that Python knows
        return 0
    return max(0.0, ((wall.utcoffset() or _ZERO) - (before.utcoffset() or _ZERO)).total_seconds())


def _wall(cursor: Cursor) -> dt.datetime:
    return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=nanoseconds(cursor.text) // 1000)  # noqa: DTZ001 - wall time


def _repetition_start(high: Cursor, zone: ZoneInfo) -> Cursor | None:
    naive = _wall(high)
    first, second = naive.replace(tzinfo=zone, fold=0).utcoffset(), naive.replace(tzinfo=zone, fold=1).utcoffset()
    if first is None or second is None or first <= second:
        return None
    low, step = naive, first - second
    # The repetition lasts as long as the clock is set back; walk back to its first minute.
    low = low.replace(second=0, microsecond=0)
    begin = naive - step
    while low > begin:
        earlier = low - dt.timedelta(minutes=1)
        if earlier.replace(tzinfo=zone, fold=0).utcoffset() == earlier.replace(tzinfo=zone, fold=1).utcoffset():
            break
        low = earlier
    return Cursor.parse(low.isoformat(), "timestamp")
