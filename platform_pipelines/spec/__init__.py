"""YAML to frozen models: what is declared, refused with file and line where it is impossible.

Nothing here reads data, opens a connection or knows Dagster.
"""

from __future__ import annotations

from platform_pipelines.spec.catalog import Catalog
from platform_pipelines.spec.connector import Capabilities, CapabilitiesOf, ConnectorSpec
from platform_pipelines.spec.destination import DestinationSpec
from platform_pipelines.spec.loader import load_catalog, pipeline_from_config, pipeline_from_file
from platform_pipelines.spec.partitions import TimePartitions, ValuePartitions
from platform_pipelines.spec.pipeline import PipelineSpec
from platform_pipelines.spec.quality import GateSpec, QualitySpec, SchemaContract
from platform_pipelines.spec.rules import RuleSpec
from platform_pipelines.spec.source import CursorSpec, DeletesSpec, SourceSpec
from platform_pipelines.spec.timing import Retries, Schedule, Triggers
from platform_pipelines.spec.transform import TransformKind, TransformSpec

__all__ = [
    "Capabilities",
    "CapabilitiesOf",
    "Catalog",
    "ConnectorSpec",
    "CursorSpec",
    "DeletesSpec",
    "DestinationSpec",
    "GateSpec",
    "PipelineSpec",
    "QualitySpec",
    "Retries",
    "RuleSpec",
    "Schedule",
    "SchemaContract",
    "SourceSpec",
    "TimePartitions",
    "TransformKind",
    "TransformSpec",
    "Triggers",
    "ValuePartitions",
    "load_catalog",
    "pipeline_from_config",
    "pipeline_from_file",
]
