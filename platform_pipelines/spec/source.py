"""What a pipeline reads: connector, stream, mode, cursor, deletes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from platform_pipelines.model import OnMissing
from platform_pipelines.spec.base import Frozen, Positive, Seconds, Share, Text
from platform_pipelines.spec.checked import CursorText, Zone

SourceMode = Literal["incremental", "full_refresh", "stream"]


class CursorSpec(Frozen):
    """The column that orders rows and versions of a row."""

    field: Text = Field(description="Column that grows with every change of a row.")
    lag: Seconds = Field(default=0.0, description="How far below the watermark each read begins again.")
    initial: CursorText | None = Field(default=None, description="Where the first read begins; all rows if not given.")
    on_missing: OnMissing = Field(default="fail", description="What happens to rows whose cursor is NULL.")
    timezone: Zone | None = Field(
        default=None, description="IANA zone of cursor values that carry none; a new one needs `--full-refresh`."
    )


class DeletesSpec(Frozen):
    """How deletions in the source are noticed and applied."""

    field: Text | None = Field(default=None, description="Column that is not NULL in deleted rows.")
    detect: Literal["key_difference"] | None = Field(default=None, description="Compare all keys with the source.")
    max_share: Share = Field(default=0.05, description="Refuse to delete a larger share of rows than this.")
    action: Literal["soft", "hard"] = Field(default="soft", description="soft marks rows, hard removes them.")

    @model_validator(mode="after")
    def _one_way(self) -> DeletesSpec:
        if (self.field is None) == (self.detect is None):
            msg = (
                "`deletes` needs exactly one of `field` and `detect`. "
                "Write {field: deleted_at, action: soft} or {detect: key_difference, max_share: 0.05, action: hard}."
            )
            raise ValueError(msg)
        return self


class SourceSpec(Frozen):
    """What is read, and how."""

    connector: Text = Field(description="A name from connectors.yaml, or an inline mapping {type: …}.")
    stream: Text = Field(description="Table, endpoint name, topic or glob.")
    mode: SourceMode = Field(
        default="full_refresh", description="incremental reads what is new; full_refresh reads all."
    )
    cursor: CursorSpec | None = Field(default=None, description="The column that orders rows.")
    options: Annotated[dict[str, Any], Field(description="What only this connector understands.")] = Field(
        default_factory=dict
    )
    deletes: DeletesSpec | None = Field(default=None, description="How deleted rows are noticed and applied.")
    checkpoint_pages: Positive | None = Field(
        default=None, description="Commit a batch every so many pages, where the source's order makes that safe."
    )
