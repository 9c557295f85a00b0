"""The first records of a stream through transforms and rules; no state is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.connectors.base import Source
from platform_pipelines.engine.context import Context, utc_now
from platform_pipelines.engine.extract import expected_stream, preview_window
from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed, RuleOutcome, TransformOutcome
