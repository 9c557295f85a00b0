"""How a stream is cut into partitions: by time or by value.

Keys are equal to those of Dagster's own definitions; making Dagster's objects is
left to ``orchestration``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from platform_pipelines.errors import UsageError
from platform_pipelines.model import Grain, TimeSlice, ValueSlice
from platform_pipelines.spec import calendar
from platform_pipelines.spec.base import Count, Flag, Frozen, Text
from platform_pipelines.spec.checked import Zone, scalar_text
from platform_pipelines.spec.nearest import allowed, show

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T -](\d\d:\d\d(?::\d\d)?))?([+-]\d{4})?")
_KEY_LENGTH = {"hour": 16, "day": 10, "week": 10, "month": 10}


def moment(text: str, zone: ZoneInfo) -> dt.datetime:
    """The instant (UTC) of a date, a date and time, or a partition key, read in ``zone``.

    Raises:
        ValueError: none of these.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        msg = f"{show(text)} is not a date. Write 2013-01-31 or 2013-01-31T05:00; `timezone` says in which zone."
        raise ValueError(msg)
    date, time, offset = match.groups()
    try:
        local = dt.datetime.fromisoformat(f"{date}T{time or '00:00'}{offset or ''}")
        return (local if offset else local.replace(tzinfo=zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is not a date: {error}."
        raise ValueError(msg) from error


class TimePartitions(Frozen):
    """Periods of one field, a date or a timestamp."""

    by: Grain = Field(description="Length of a partition.")
    field: Text = Field(description="Date or timestamp column that says where a row belongs.")
    start: Text = Field(description="The first partition begins here or, if this is within a period, after it.")
    end: Text | None = Field(default=None, description="Partitions begin before this; open if not given.")
    timezone: Zone = Field(
        default="UTC",
        description="IANA zone in which periods begin; a new one needs `--full-refresh` if `field` holds instants.",
    )
    lookback: Count = Field(default=1, description="How many earlier partitions a scheduled run includes.")
    detect_changes: Flag = Field(default=False, description="Ask the source which partitions changed and run those.")

    @model_validator(mode="after")
    def _ordered(self) -> TimePartitions:
        first, end = self.first, self.stop
        if end is not None and first >= end:
            msg = f"There is no partition: no {self.by} begins between start {self.start!r} and end {self.end!r}."
            raise ValueError(msg)
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone as an object."""
        return ZoneInfo(self.timezone)

    @property
    def first(self) -> dt.datetime:
        """Where the first partition begins (UTC)."""
        return calendar.ceil(moment(self.start, self.zone), self.by, self.zone)

    @property
    def stop(self) -> dt.datetime | None:
        """Where the last partition ends (UTC); None if partitions go on for ever."""
        return None if self.end is None else calendar.ceil(moment(self.end, self.zone), self.by, self.zone)

    def keys(self, now: dt.datetime) -> list[str]:
        """All keys at ``now`` (with zone), oldest first; the period that holds ``now`` is the last."""
        return self._keys(self.first, now)

    def recent(self, now: dt.datetime) -> list[str]:
        """What a scheduled run covers: the newest partition and the ``lookback`` ones before it."""
        stop = self.stop
        begin = calendar.floor(min(now, stop - dt.timedelta(microseconds=1)) if stop else now, self.by, self.zone)
        for _ in range(self.lookback):
            begin = calendar.floor(begin - dt.timedelta(microseconds=1), self.by, self.zone)
        return self._keys(max(begin, self.first), now)

    def keys_between(self, low: str, high: str, now: dt.datetime | None = None) -> list[str]:
        """Keys of all partitions that hold an instant of ``low <= t < high`` and exist at ``now``.

        Args:
            low: a date, a date and time, or a partition key.
            high: the same, exclusive.
            now: with zone; default is this moment.

        Raises:
            UsageError: not dates, or not in order.
        """
        try:
            begin, end = moment(low, self.zone), moment(high, self.zone)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if begin >= end:
            msg = f"The range from {low!r} to {high!r} is empty: its end is exclusive. Write the earlier end first."
            raise UsageError(msg)
        first = self.first if begin <= self.first else calendar.floor(begin, self.by, self.zone)
        return self._keys(first, min(now or dt.datetime.now(dt.UTC), end - dt.timedelta(microseconds=1)))

    def slice(self, key: str) -> TimeSlice:
        """The time a partition covers.

        Raises:
            UsageError: ``key`` names no partition.
        """
        begin = self._begin(key)
        end = calendar.following(begin, self.by, self.zone)
        return TimeSlice(self.field, begin.astimezone(self.zone), end.astimezone(self.zone), self.timezone)

    def exists(self, key: str, now: dt.datetime) -> bool:
        """Whether the partition ``key``, a valid key, has begun at ``now`` (with zone)."""
        return self._begin(key) <= now

    def _begin(self, key: str) -> dt.datetime:
        zone, stop = self.zone, self.stop
        try:
            begin = moment(key, zone)
            period = calendar.floor(begin, self.by, zone), calendar.following(begin, self.by, zone)
        except (ValueError, OverflowError):  # no date, or a period that begins or ends beyond the years 1 to 9999
            begin = None
        if begin is None or self._key(begin) != key or period[0] != begin:
            msg = f"{key!r} is not the key of a partition by {self.by}. Keys look like {self._key(self.first)}."
            raise UsageError(msg)
        if begin < self.first or (stop is not None and begin >= stop):
            last = "" if stop is None else f" and before {self._key(stop)}"
            msg = f"Partition {key!r} does not exist: partitions begin at {self._key(self.first)}{last}."
            raise UsageError(msg)
        return begin

    def _keys(self, first: dt.datetime, last: dt.datetime) -> list[str]:
        stop = self.stop
        if stop is not None:
            last = min(last, stop - dt.timedelta(microseconds=1))
        return [self._key(begin) for begin in calendar.beginnings(first, last, self.by, self.zone)]

    def _key(self, begin: dt.datetime) -> str:
        local = begin.astimezone(self.zone)
        key = local.isoformat("-", "minutes")[: _KEY_LENGTH[self.by]]
        # the second of two equal hours carries its offset, as in Dagster
        return f"{key}{local:%z}" if local.fold and self.by == "hour" else key


ValueText = Annotated[str, BeforeValidator(scalar_text), Field(min_length=1)]


class ValuePartitions(Frozen):
    """Listed values of one field."""

    by: Literal["value"] = Field(description="Partitions are values of a field.")
    field: Text = Field(description="Column that says where a row belongs.")
    values: Annotated[tuple[ValueText, ...], Field(min_length=1)] = Field(description="One partition each.")
    detect_changes: Flag = Field(default=False, description="Ask the source which partitions changed and run those.")

    @model_validator(mode="after")
    def _once_each(self) -> ValuePartitions:
        twice = [value for value in self.values if self.values.count(value) > 1]
        if twice:
            msg = f"Value {twice[0]!r} is listed twice in `partitions.values`. Remove one."
            raise ValueError(msg)
        return self

    def keys(self, now: dt.datetime) -> list[str]:  # noqa: ARG002 - one signature for both kinds
        """All keys, in the order of the YAML, whatever ``now``."""
        return list(self.values)

    def exists(self, key: str, now: dt.datetime) -> bool:  # noqa: ARG002 - one signature for both kinds
        """Whether ``key`` is listed, whatever ``now``."""
        return key in self.values

    def slice(self, key: str) -> ValueSlice:
        """The value a partition holds.

        Raises:
            UsageError: ``key`` names no partition.
        """
        if key not in self.values:
            msg = f"Partition {key!r} does not exist. {allowed(key, self.values)}"
            raise UsageError(msg)
        return ValueSlice(self.field, key)


def _kind(data: Any) -> str:  # noqa: ANN401 - any YAML value
    by = data.get("by") if isinstance(data, dict) else getattr(data, "by", None)
    return "value" if by == "value" else "time"


Partitions = Annotated[
    Annotated[TimePartitions, Tag("time")] | Annotated[ValuePartitions, Tag("value")], Discriminator(_kind)
]
