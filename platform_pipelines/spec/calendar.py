"""Where periods of a grain begin in a zone, safe across changes of daylight saving time.

All instants are UTC datetimes: Python compares datetimes of one zone by their
wall clock, which is wrong in the hour that occurs twice. Names of partitions are
left to ``partitions``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from platform_pipelines.model import Grain

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
_DAYS_IN_WEEK = 7
_DECEMBER = 12


def floor(instant: dt.datetime, by: Grain, zone: ZoneInfo) -> dt.datetime:
    """The beginning of the period that holds ``instant``."""
    local = instant.astimezone(zone)
    if by == "hour":
        return local.replace(minute=0, second=0, microsecond=0).astimezone(dt.UTC)
    day = local.date()
    if by == "week":  # begins on Sunday, as Dagster's weeks do
        day -= dt.timedelta(days=local.isoweekday() % _DAYS_IN_WEEK)
    return _midnight(day.replace(day=1) if by == "month" else day, zone)


def ceil(instant: dt.datetime, by: Grain, zone: ZoneInfo) -> dt.datetime:
    """The first beginning of a period that is not before ``instant``."""
    begin = floor(instant, by, zone)
    return begin if begin == instant else following(begin, by, zone)


def following(begin: dt.datetime, by: Grain, zone: ZoneInfo) -> dt.datetime:
    """The beginning of the period after the one that begins at ``begin``."""
    if by == "hour":
        after = begin + _HOUR
        minute = after.astimezone(zone).minute
        # zones whose clock moves by half an hour have one longer period then
        return after if not minute else after + dt.timedelta(minutes=60 - minute)
    day = begin.astimezone(zone).date()
    if by == "month":
        return _midnight(day.replace(year=day.year + day.month // _DECEMBER, month=day.month % _DECEMBER + 1), zone)
    return _midnight(day + _DAY * (_DAYS_IN_WEEK if by == "week" else 1), zone)


def beginnings(first: dt.datetime, last: dt.datetime, by: Grain, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Beginnings from ``first``, itself one, up to and including ``last``."""
    while first <= last:
        yield first
        first = following(first, by, zone)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    # where midnight is skipped, fold=0 makes this the first instant of the day
    return dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
