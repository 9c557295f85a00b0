"""A landed batch as a relation: under the agreed schema, then through the transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.reference import references
from platform_pipelines.quality import contract
from platform_pipelines.transforms import chain

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import TransformOutcome
    from platform_pipelines.store import FeedLog, Manifest
