"""Where a pipeline loads to, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from platform_pipelines.model import Mode
from platform_pipelines.spec.base import Frozen, Positive, Seconds, Text
from platform_pipelines.spec.names import DestinationName

MODE_ALIASES = {"upsert": "merge", "insert": "append"}


def _mode(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    return MODE_ALIASES.get(value, value) if isinstance(value, str) else value


LoadMode = Annotated[Mode, BeforeValidator(_mode)]
Megabytes = Annotated[float, Field(strict=True, gt=0)]


class DestinationSpec(Frozen):
    """One destination of a pipeline."""

    name: DestinationName = Field(description="Name of the asset; default: the connector's name.")
    connector: Text = Field(description="A name from connectors.yaml, or an inline mapping {type: …}.")
    table: Text = Field(description="schema.table, table or folder; default: the pipeline's name.")
    mode: LoadMode = Field(default="append", description="How rows meet those already there.")
    key: tuple[Text, ...] = Field(default=(), description="Columns that identify a row.")
    buffer_size: Megabytes = Field(default=50.0, description="Megabytes held in memory before they are written on.")
    buffer_flush_timeout: Seconds = Field(default=600.0, description="Seconds after which a buffer is written on.")
    max_concurrent_threads: Positive = Field(default=10, description="Writer threads at most.")
    batch_size: Positive = Field(default=200, description="Records in one request of an API writer.")
    on_error: Literal["continue", "stop"] = Field(default="continue", description="What an API writer does next.")
