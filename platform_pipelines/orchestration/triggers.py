"""Runs that begin when other pipelines have loaded: dependencies and automation conditions.

A triggered run covers what a scheduled one does: by time the newest partition
and ``lookback`` before it, and every partition that was never materialized; by
value all. Its validated rows and loads follow in the same run.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration import naming
from platform_pipelines.orchestration.partitions import partitions_definition, upstream_mapping

if TYPE_CHECKING:
    from platform_pipelines.model import Grain
    from platform_pipelines.spec import Catalog, PipelineSpec, TimePartitions

Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]
SENSOR = "pipeline_triggers"
#: the longest that a period of each grain can be
_LONGEST: dict[Grain, dt.timedelta] = {
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
    "week": dt.timedelta(weeks=1),
    "month": dt.timedelta(days=31),
}


def dependencies(catalog: Catalog, spec: PipelineSpec) -> list[dg.AssetDep]:
    """What landing waits for: every destination of the pipelines it runs after.

    Components of a ``dg`` project do not know each other: there ``orders/warehouse``
    names an asset, and ``orders`` alone is waited for at its validated rows, the
    last asset whose key needs no more than the name.
    """
    own = partitions_definition(spec.partitions)
    found = []
    for name in spec.triggers.after:
        upstream = catalog.pipelines.get(name)
        mapping = upstream_mapping(partitions_definition(upstream.partitions), own) if upstream else None
        found += [dg.AssetDep(key, partition_mapping=mapping) for key in _awaited(name, upstream)]
    return found


def _awaited(name: str, upstream: PipelineSpec | None) -> list[dg.AssetKey]:
    if upstream is None:
        return [dg.AssetKey(name.split("/")) if "/" in name else naming.validated_key(name)]
    return [naming.destination_key(name, each.name) for each in upstream.destinations]


def landing_condition(catalog: Catalog, spec: PipelineSpec) -> Condition | None:
    """When landing is run without being asked; None for a pipeline that waits for no other.

    Once something it waits for was loaded, nothing of it is missing, and none of
    it, nor landing itself, is being run. Where all partitions of another pipeline
    are waited for, one that is missing does not count: the newest always begins
    so, and one that fails must not stop what comes after for good.
    """
    if not spec.triggers.after:
        return None
    missing = dg.AutomationCondition.any_deps_missing()
    every = _waited_for_as_a_whole(catalog, spec)
    if every:
        missing = missing.ignore(dg.AssetSelection.assets(*every))
    condition = (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~missing
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )
    by_time = spec.time_partitions
    if by_time is not None:
        due = dg.AutomationCondition.in_latest_time_window(_window(by_time)) | dg.AutomationCondition.missing()
        condition = due & condition
    return condition.with_label(f"after {', '.join(spec.triggers.after)}")


def _waited_for_as_a_whole(catalog: Catalog, spec: PipelineSpec) -> list[dg.AssetKey]:
    found = []
    for name in spec.triggers.after:
        upstream = catalog.pipelines.get(name)
        if upstream is None or upstream.partitions is None:
            continue
        same = upstream.partitions == spec.partitions
        if not same and not (upstream.time_partitions and spec.time_partitions):
            found += _awaited(name, upstream)
    return found


def following_condition(spec: PipelineSpec) -> Condition | None:
    """What lies behind landing is run with it, and only then."""
    if not spec.triggers.after:
        return None
    requested = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())
    return requested.with_label("with landing")


def trigger_sensor(selection: dg.AssetSelection, name: str = SENSOR) -> dg.AutomationConditionSensorDefinition:
    """What looks for such moments; it runs without having to be switched on."""
    return dg.AutomationConditionSensorDefinition(
        name,
        target=selection,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs pipelines once those in `triggers.after` have loaded.",
    )


def _window(partitions: TimePartitions) -> dt.timedelta:
    """A time that reaches back over ``lookback`` periods, and not over one more.

    Dagster takes periods that begin within it; the slack is for days of 25 hours.
    """
    longest = _LONGEST[partitions.by]
    return longest * (partitions.lookback + 1) + min(longest / 2, dt.timedelta(hours=12))
