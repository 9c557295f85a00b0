from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from platform_pipelines.orchestration.partitions import partitions_definition, upstream_mapping
from platform_pipelines.spec import TimePartitions, ValuePartitions

NOW = dt.datetime(2024, 11, 3, 6, 30, tzinfo=dt.UTC)  # in New York 01:30, which comes twice this night


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("end", [None, "2024-10-20"])
def test_dagster_has_the_keys_of_the_spec(by: str, zone: str, end: str | None) -> None:
    written = {"by": by, "field": "at", "start": "2024-09-12", "end": end, "timezone": zone}
    partitions = TimePartitions.model_validate(written)
    definition = partitions_definition(partitions)
    assert definition is not None
    assert definition.get_partition_keys(current_time=NOW) == partitions.keys(NOW)


def test_the_period_of_this_moment_is_a_partition() -> None:
    definition = partitions_definition(TimePartitions(by="day", field="at", start="2024-11-01"))
    assert definition is not None
    assert definition.get_partition_keys(current_time=NOW) == ["2024-11-01", "2024-11-02", "2024-11-03"]


def test_values_are_static_partitions() -> None:
    definition = partitions_definition(ValuePartitions(by="value", field="region", values=("us", "eu")))
    assert definition is not None
    assert definition.get_partition_keys() == ["us", "eu"]


def test_without_partitions_there_is_no_definition() -> None:
    assert partitions_definition(None) is None


def test_a_partition_waits_for_the_periods_it_overlaps() -> None:
    hours = partitions_definition(TimePartitions(by="hour", field="at", start="2024-11-02"))
    days = partitions_definition(TimePartitions(by="day", field="at", start="2024-11-01"))
    mapping = upstream_mapping(hours, days)
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert mapping.allow_nonexistent_upstream_partitions


def test_partitions_of_another_kind_wait_for_all() -> None:
    days = partitions_definition(TimePartitions(by="day", field="at", start="2024-11-01"))
    regions = partitions_definition(ValuePartitions(by="value", field="region", values=("us", "eu")))
    assert upstream_mapping(days, regions) == dg.AllPartitionMapping()
    assert upstream_mapping(days, days) is None
    assert upstream_mapping(None, days) is None
