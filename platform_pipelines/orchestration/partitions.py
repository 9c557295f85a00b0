"""Partitions as Dagster's own definitions; their keys are those of ``spec``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.spec import TimePartitions

if TYPE_CHECKING:
    from platform_pipelines.model import Grain
    from platform_pipelines.spec import ValuePartitions

_GRAINS: dict[Grain, type[dg.TimeWindowPartitionsDefinition]] = {
    "hour": dg.HourlyPartitionsDefinition,
    "day": dg.DailyPartitionsDefinition,
    "week": dg.WeeklyPartitionsDefinition,
    "month": dg.MonthlyPartitionsDefinition,
}
_FORMATS: dict[Grain, str] = {"hour": "%Y-%m-%d-%H:%M", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m-%d"}


def partitions_definition(partitions: TimePartitions | ValuePartitions | None) -> dg.PartitionsDefinition[str] | None:
    """The definition that offers the same keys as ``partitions.keys``.

    The period that holds this moment is a partition already (``end_offset=1``),
    as long as no ``end`` was declared before it.
    """
    if partitions is None:
        return None
    if not isinstance(partitions, TimePartitions):
        return dg.StaticPartitionsDefinition(list(partitions.values))
    layout = _FORMATS[partitions.by]
    stop = partitions.stop
    return _GRAINS[partitions.by](
        start_date=partitions.first.astimezone(partitions.zone).strftime(layout),
        end_date=None if stop is None else stop.astimezone(partitions.zone).strftime(layout),
        timezone=partitions.timezone,
        end_offset=1,
    )  # type: ignore[call-arg]


def upstream_mapping(
    upstream: dg.PartitionsDefinition[str] | None, own: dg.PartitionsDefinition[str] | None
) -> dg.PartitionMapping | None:
    """Which partitions of a pipeline that triggers this one a partition waits for.

    Periods wait for the periods that they overlap, those before the other's
    start left out; partitions of different kinds wait for all.
    """
    if upstream is None or own is None or upstream == own:
        return None
    if isinstance(upstream, dg.TimeWindowPartitionsDefinition) and isinstance(own, dg.TimeWindowPartitionsDefinition):
        return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    return dg.AllPartitionMapping()
