"""The quality section: pandera schema, rules, gate, approval, alert, schema contract, profile."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from platform_pipelines.spec.base import Count, Flag, Frozen, Seconds, Share
from platform_pipelines.spec.checked import ImportPath
from platform_pipelines.spec.rules import AFTER_LOAD, Reconciliation, RuleSpec


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


MinScore = Annotated[float, Field(strict=True, gt=0, le=1)]
LongerThanNothing = Annotated[Seconds, Field(gt=0)]


class ApprovalSpec(Frozen):
    """Below which score a batch is held until a person approves it."""

    min_score: MinScore = Field(description="Score from which a batch is loaded without being asked about, up to 1.")
    deadline: LongerThanNothing | None = Field(
        default=None, description="How long a person has to answer; default: for ever."
    )
    on_deadline: Literal["discard", "release"] | None = Field(
        default=None, description="What happens without an answer; default: discard, which cancels the load."
    )

    @model_validator(mode="after")
    def _reachable(self) -> ApprovalSpec:
        if self.on_deadline is not None and self.deadline is None:
            msg = f"`on_deadline: {self.on_deadline}` never comes about without `deadline`. Write `deadline: 24h`."
            raise ValueError(msg)
        return self

    @property
    def unanswered(self) -> Literal["discard", "release"]:
        """What happens once the deadline has passed."""
        return self.on_deadline or "discard"


class AlertSpec(Frozen):
    """How many dead letters are too many within a time; alerts, and holds nothing."""

    max_dead_letters: Count = Field(description="Dead letters; more of them alert.")
    window: LongerThanNothing = Field(default=3600.0, description="The time before now in which they are counted.")
    severity: Literal["error", "warning"] = Field(default="warning", description="Severity of the asset check.")


class SchemaContract(Frozen):
    """What happens when the source's schema changes."""

    new_columns: Literal["add", "ignore", "fail"] = Field(default="add", description="A column that was not there.")
    missing_columns: Literal["fail", "null"] = Field(default="fail", description="A column that is gone.")
    type_changes: Literal["widen", "reject", "fail"] = Field(default="widen", description="Values of another type.")

    @model_validator(mode="before")
    @classmethod
    def _null_is_a_word(cls, data: Any) -> Any:  # noqa: ANN401 - any YAML value
        """``missing_columns: null`` means what it says, though YAML takes an unquoted null for no value."""
        if isinstance(data, dict) and data.get("missing_columns", "") is None:
            return data | {"missing_columns": "null"}
        return data


class QualitySpec(Frozen):
    """What must hold for rows before any is loaded."""

    schema_path: ImportPath | None = Field(
        default=None, alias="schema", description="Import path of a pandera schema or model, module:name."
    )
    rules: tuple[RuleSpec, ...] = Field(default=(), description="Rules, each one asset check.")
    gate: GateSpec | None = Field(default=None, description="When a batch is held instead of loaded.")
    approval: ApprovalSpec | None = Field(default=None, description="When a person is asked before a batch is loaded.")
    alert: AlertSpec | None = Field(default=None, description="When dead letters are too many.")
    schema_contract: SchemaContract = Field(
        default_factory=SchemaContract, description="What happens when the source's schema changes."
    )
    profile: Flag = Field(default=False, description="Whether each column of the rows to load is profiled.")

    @property
    def before_load(self) -> tuple[RuleSpec, ...]:
        """The rules that are judged before anything is loaded."""
        return tuple(rule for rule in self.rules if rule.type not in AFTER_LOAD)

    def at_destination(self, name: str) -> tuple[Reconciliation, ...]:
        """The rules that are judged once destination ``name`` is loaded."""
        found = (rule for rule in self.rules if rule.type == "reconciliation")
        return tuple(rule for rule in found if rule.destination in {None, name})
