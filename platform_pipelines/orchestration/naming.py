"""Names in Dagster: asset keys, steps, pools. What a pipeline may be called is left to ``spec``."""

from __future__ import annotations

import re

import dagster as dg

LANDING = "landing"
VALIDATED = "validated"
#: run tag by which Dagster's monitoring ends a run, in seconds
MAX_RUNTIME_TAG = "dagster/max_runtime"
#: run tag that says which partition a run is for
PARTITION_TAG = "dagster/partition"


def landing_key(pipeline: str) -> dg.AssetKey:
    """The asset of what was landed."""
    return dg.AssetKey([pipeline, LANDING])


def validated_key(pipeline: str) -> dg.AssetKey:
    """The asset of what passed validation."""
    return dg.AssetKey([pipeline, VALIDATED])


def destination_key(pipeline: str, destination: str) -> dg.AssetKey:
    """The asset of what a destination holds."""
    return dg.AssetKey([pipeline, destination])


def step_name(key: dg.AssetKey) -> str:
    """The step that makes an asset, as run configuration names it."""
    return "__".join(key.path)


def feed_pool(pipeline: str) -> str:
    """The pool in which runs of one pipeline land and validate one after the other."""
    return f"pipeline/{pipeline}"


def load_pool(connector: str, table: str, *, single_writer: bool) -> str:
    """The pool in which loads come one after the other: those into one table, or all into one writer's database."""
    # pools take no white space
    return re.sub(r"\s+", "_", f"connector/{connector}" if single_writer else f"table/{connector}/{table}")
