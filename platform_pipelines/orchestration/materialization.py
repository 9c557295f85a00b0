"""All metadata of one materialization: figures, column schema, column lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.orchestration.columns import landed_schema, table_schema, validated_schema, visible
from platform_pipelines.orchestration.lineage import identity, through
from platform_pipelines.orchestration.metadata import figures
from platform_pipelines.orchestration.naming import landing_key, validated_key
from platform_pipelines.orchestration.profiles import profile_metadata
from platform_pipelines.orchestration.stages import Landing, Loading

if TYPE_CHECKING:
    from platform_pipelines.engine import Context
    from platform_pipelines.model import Feed
    from platform_pipelines.orchestration.metadata import Metadata
    from platform_pipelines.orchestration.stages import Report, Stage

SCHEMA = "dagster/column_schema"
LINEAGE = "dagster/column_lineage"


def describe(context: Context, stage: Stage, report: Report) -> Metadata:
    """What Dagster shows of one feed's materialization by ``stage``."""
    return {
        **figures(report),
        **profile_metadata(report),
        **_columns(context, stage, report.feed),
        "token": dg.MetadataValue.text(context.token),
    }


def _columns(context: Context, stage: Stage, feed: Feed) -> Metadata:
    spec = context.pipeline
    landed = landed_schema(context, feed)
    if isinstance(stage, Landing):
        return {} if landed is None else {SCHEMA: table_schema(landed)}
    valid = validated_schema(context, feed)
    if valid is None:
        return {}
    columns = visible(valid)
    if isinstance(stage, Loading):
        return {SCHEMA: table_schema(valid, spec), LINEAGE: identity(columns, validated_key(spec.name))}
    lineage = None if landed is None else through(visible(landed), spec.transforms, landing_key(spec.name))
    return {SCHEMA: table_schema(valid, spec)} | ({} if lineage is None else {LINEAGE: lineage})
