"""The quality section: pandera schema, rules, gate, schema contract."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from platform_pipelines.spec.base import Count, Frozen, Share
from platform_pipelines.spec.checked import ImportPath
from platform_pipelines.spec.rules import RuleSpec


class GateSpec(Frozen):
    """How many rows may be rejected before the batch is held."""

    max_rejected: Count | None = Field(default=None, description="Rows.")
    max_rejected_share: Share | None = Field(default=None, description="Share of the rows, 0 to 1.")

    @model_validator(mode="after")
    def _says_something(self) -> GateSpec:
        if self.max_rejected is None and self.max_rejected_share is None:
            msg = "`gate` needs `max_rejected`, `max_rejected_share` or both."
            raise ValueError(msg)
        return self


class SchemaContract(Frozen):
    """What happens when the source's schema changes."""

    new_columns: Literal["add", "ignore", "fail"] = Field(default="add", description="A column that was not there.")
    missing_columns: Literal["fail", "null"] = Field(default="fail", description="A column that is gone.")
    type_changes: Literal["widen", "reject", "fail"] = Field(default="widen", description="Values of another type.")


class QualitySpec(Frozen):
    """What must hold for rows before any is loaded."""

    schema_path: ImportPath | None = Field(
        default=None, alias="schema", description="Import path of a pandera schema or model, module:name."
    )
    rules: tuple[RuleSpec, ...] = Field(default=(), description="Rules, each one asset check.")
    gate: GateSpec | None = Field(default=None, description="When a batch is held instead of loaded.")
    schema_contract: SchemaContract = Field(
        default_factory=SchemaContract, description="What happens when the source's schema changes."
    )
