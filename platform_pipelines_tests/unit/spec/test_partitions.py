"""Partition keys and slices: equal to Dagster's own, also where clocks change."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from platform_pipelines.errors import UsageError
from platform_pipelines.model import Feed, ValueSlice
from platform_pipelines.spec import PipelineSpec, TimePartitions, ValuePartitions

GRAINS = {
    "hour": dg.HourlyPartitionsDefinition,
    "day": dg.DailyPartitionsDefinition,
    "week": dg.WeeklyPartitionsDefinition,
    "month": dg.MonthlyPartitionsDefinition,
}
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Cairo"]


def partitions(**given: Any) -> TimePartitions:
    return TimePartitions.model_validate({"by": "day", "field": "d", "start": "2013-01-01", **given})


def in_dagster(ours: TimePartitions) -> dg.TimeWindowPartitionsDefinition:
    zone = ours.zone
    end = ours.stop.astimezone(zone) if ours.stop else None
    start = ours.first.astimezone(zone)
    return GRAINS[ours.by](start_date=start, end_date=end, timezone=ours.timezone, end_offset=1)


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_keys_and_slices_equal_dagsters(by: str, timezone: str) -> None:
    ours = partitions(by=by, start="2017-02-15", timezone=timezone)
    now = dt.datetime(2019, 4, 3, 10, 30, tzinfo=dt.UTC)
    theirs = in_dagster(ours)
    keys = ours.keys(now)
    assert keys == list(theirs.get_partition_keys(current_time=now))
    for key in keys[:: max(1, len(keys) // 500)]:
        window, slice_ = theirs.time_window_for_partition_key(key), ours.slice(key)
        assert (slice_.start.timestamp(), slice_.end.timestamp()) == (
            window.start.timestamp(),
            window.end.timestamp(),
        ), key


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_an_end_in_the_past_equals_dagsters(by: str) -> None:
    ours = partitions(by=by, start="2013-01-01", end="2013-04-01", timezone="Europe/Berlin")
    now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert ours.keys(now) == list(in_dagster(ours).get_partition_keys(current_time=now))


@pytest.mark.parametrize("timezone", ["America/New_York", "Europe/Berlin"])
def test_both_hours_of_an_autumn_night_are_partitions_and_the_skipped_one_is_not(timezone: str) -> None:
    ours = partitions(by="hour", start="2013-01-01", timezone=timezone)
    zone = ZoneInfo(timezone)
    keys = ours.keys(dt.datetime(2013, 12, 31, 23, tzinfo=zone))
    doubled = [key for key in keys if len(key) > len("2013-01-01-00:00")]
    assert len(doubled) == 1
    first, second = ours.slice(doubled[0][:16]), ours.slice(doubled[0])
    assert first.end.timestamp() == second.start.timestamp()
    assert second.start.astimezone(zone).fold == 1
    assert len(set(keys)) == len(keys) == 365 * 24


def test_a_day_is_as_long_as_its_zone_makes_it() -> None:
    ours = partitions(timezone="America/New_York")
    hours = [(ours.slice(key).end.timestamp() - ours.slice(key).start.timestamp()) / 3600 for key in (
        "2013-03-10", "2013-03-11", "2013-11-03")]  # fmt: skip
    assert hours == [23, 24, 25]
    assert str(ours.slice("2013-03-10").start) == "2013-03-10 00:00:00-05:00"
    assert ours.slice("2013-03-10").timezone == "America/New_York"


def test_half_hour_clock_changes_leave_no_gap() -> None:
    ours = partitions(by="hour", start="2013-01-01", timezone="Australia/Lord_Howe")
    keys = ours.keys(dt.datetime(2013, 12, 31, tzinfo=dt.UTC))
    slices = [ours.slice(key) for key in keys]
    assert all(a.end.timestamp() == b.start.timestamp() for a, b in pairwise(slices))


def test_the_unfinished_period_is_a_partition_and_the_next_is_not() -> None:
    ours = partitions()
    assert ours.keys(dt.datetime(2013, 1, 2, tzinfo=dt.UTC)) == ["2013-01-01", "2013-01-02"]
    assert ours.keys(dt.datetime(2013, 1, 1, 23, 59, tzinfo=dt.UTC)) == ["2013-01-01"]
    assert ours.keys(dt.datetime(2012, 12, 31, 23, 59, tzinfo=dt.UTC)) == []


def test_end_is_exclusive_by_the_beginning_of_a_partition() -> None:
    far = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    assert partitions(end="2013-01-03").keys(far) == ["2013-01-01", "2013-01-02"]
    assert partitions(by="month", end="2013-02-02").keys(far) == ["2013-01-01", "2013-02-01"]


def test_weeks_begin_on_sunday() -> None:
    ours = partitions(by="week", start="2013-01-01")
    assert ours.keys(dt.datetime(2013, 1, 14, tzinfo=dt.UTC)) == ["2013-01-06", "2013-01-13"]


def test_recent_covers_lookback_and_stops_at_the_ends() -> None:
    ours = partitions(by="month", lookback=2, end="2013-06-01")
    assert ours.recent(dt.datetime(2013, 4, 9, tzinfo=dt.UTC)) == ["2013-02-01", "2013-03-01", "2013-04-01"]
    assert ours.recent(dt.datetime(2013, 1, 9, tzinfo=dt.UTC)) == ["2013-01-01"]
    assert ours.recent(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == ["2013-03-01", "2013-04-01", "2013-05-01"]
    assert partitions(lookback=0).recent(dt.datetime(2013, 1, 9, 5, tzinfo=dt.UTC)) == ["2013-01-09"]


def test_keys_between_takes_every_partition_that_the_range_touches() -> None:
    now = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
    monthly = partitions(by="month")
    assert monthly.keys_between("2013-01-01", "2013-03-01", now) == ["2013-01-01", "2013-02-01"]
    assert monthly.keys_between("2013-01-15", "2013-02-02", now) == ["2013-01-01", "2013-02-01"]
    assert monthly.keys_between("2012-01-01", "2013-01-02") == ["2013-01-01"]
    assert monthly.keys_between("2013-12-31", "2030-01-01", now) == ["2013-12-01", "2014-01-01"]
    hourly = partitions(by="hour")
    assert hourly.keys_between("2013-01-01-05:00", "2013-01-01T07:00", now) == ["2013-01-01-05:00", "2013-01-01-06:00"]


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ("yesterday", "2013-01-01", "'yesterday' is not a date. Write 2013-01-31 or 2013-01-31T05:00"),
        ("2013-02-30", "2013-03-01", "'2013-02-30' is not a date: day is out of range for month."),
        ("2013-02-01", "2013-01-01", "The range from '2013-02-01' to '2013-01-01' is empty: its end is exclusive."),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(low: str, high: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        partitions().keys_between(low, high)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("by", "key", "message"),
    [
        ("day", "2013-1-1", "'2013-1-1' is not the key of a partition by day. Keys look like 2013-01-01."),
        ("month", "2013-01-15", "'2013-01-15' is not the key of a partition by month. Keys look like 2013-01-01."),
        ("week", "2013-01-07", "'2013-01-07' is not the key of a partition by week. Keys look like 2013-01-06."),
        ("hour", "2013-01-01", "'2013-01-01' is not the key of a partition by hour. Keys look like 2013-01-01-00:00."),
        ("hour", "2013-01-01-00:30", "'2013-01-01-00:30' is not the key of a partition by hour."),
        (
            "day",
            "2012-12-31",
            "Partition '2012-12-31' does not exist: partitions begin at 2013-01-01 and before 2014-01-01.",
        ),
        ("day", "2014-01-01", "Partition '2014-01-01' does not exist"),
    ],
)
def test_a_key_of_no_partition_is_refused(by: str, key: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        partitions(by=by, end="2014-01-01").slice(key)
    assert message in str(caught.value)


def test_value_partitions() -> None:
    ours = ValuePartitions.model_validate({"by": "value", "field": "region", "values": ["eu", "us", 7]})
    assert ours.keys(dt.datetime.now(dt.UTC)) == ["eu", "us", "7"]
    assert ours.slice("us") == ValueSlice("region", "us")
    with pytest.raises(UsageError, match=r"Partition 'uss' does not exist. Allowed: eu, us, 7. Did you mean `us`\?"):
        ours.slice("uss")


def pipeline(**given: Any) -> PipelineSpec:
    base = {
        "name": "p",
        "source": {"connector": "c", "stream": "s"},
        "destinations": [{"name": "d", "connector": "d", "table": "t"}],
    }
    return PipelineSpec.model_validate({**base, **given})


def test_feeds_of_a_pipeline() -> None:
    now = dt.datetime(2013, 1, 2, tzinfo=dt.UTC)
    whole, daily = pipeline(), pipeline(partitions={"by": "day", "field": "d", "start": "2013-01-01"})
    assert whole.feeds(now) == [whole.feed()] == [Feed("p")]
    assert daily.feeds(now) == [Feed("p", "2013-01-01"), Feed("p", "2013-01-02")]
    assert daily.feed("2013-01-02") == Feed("p", "2013-01-02")
    assert whole.time_partitions is None
    regions = pipeline(partitions={"by": "value", "field": "r", "values": ["eu", "us"]})
    assert regions.feeds(now) == [regions.feed("eu"), regions.feed("us")]
    assert regions.time_partitions is None
    assert daily.time_partitions is daily.partitions


def test_feeds_that_do_not_exist_are_refused_with_what_there_is() -> None:
    now = dt.datetime(2013, 1, 2, tzinfo=dt.UTC)
    daily = pipeline(partitions={"by": "day", "field": "d", "start": "2013-01-01"})
    regions = pipeline(partitions={"by": "value", "field": "r", "values": ["eu", "us"]})
    cases = [
        (pipeline(), "x", "Pipeline `p` has no partitions, so partition 'x' does not exist. Leave it out."),
        (daily, "2013-01-03", "Pipeline `p`: Partition '2013-01-03' lies in the future. There are 2: 2013-01-01 to 2013-01-02."),
        (daily, None, "Pipeline `p`: A partition is needed. There are 2"),
        (daily, "2013-1-02", "'2013-1-02' is not the key of a partition by day. Keys look like 2013-01-01. There are 2: 2013-01-01 to 2013-01-02. Did you mean `2013-01-02`?"),
        (regions, "es", "Pipeline `p`: Partition 'es' does not exist. Allowed: eu, us."),
    ]  # fmt: skip
    for spec, key, message in cases:
        with pytest.raises(UsageError) as caught:
            spec.feed(key, now)
        assert message in str(caught.value)
    with pytest.raises(UsageError, match="There are none yet"):
        daily.feed("2013-01-01", dt.datetime(2012, 1, 1, tzinfo=dt.UTC))


def test_a_hundred_thousand_hours() -> None:
    ours = partitions(by="hour", start="2010-01-01", timezone="Europe/Berlin")
    keys = ours.keys(dt.datetime(2010, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=99_999))
    assert len(keys) == 100_001  # Berlin's year begins an hour earlier than UTC's
    assert keys[0] == "2010-01-01-00:00"
