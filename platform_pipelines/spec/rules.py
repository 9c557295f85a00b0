"""Quality rules as declared; what they mean for data is left to ``quality``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, field_validator, model_validator

from platform_pipelines.spec.base import Columns, Count, Frozen, Seconds, Share, Text
from platform_pipelines.spec.checked import ImportPath, Pattern
from platform_pipelines.spec.names import AssetName
from platform_pipelines.spec.nearest import show

Severity = Literal["error", "warning", "info"]


def _bound(value: Any) -> int | float | str:  # noqa: ANN401 - any YAML value
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        msg = f"A bound must be a number or a text such as 2026-01-31, not {show(value)}."
        raise ValueError(msg)
    return value


Bound = Annotated[int | float | str, PlainValidator(_bound, json_schema_input_type=int | float | str)]


class Rule(Frozen):
    """What all rules have: an id, which names the asset check, and a severity."""

    id: AssetName = Field(description="Name of the check; default: type and fields.")
    severity: Severity = Field(
        default="error", description="error rejects rows, warning flags them, info only counts them."
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_id(cls, data: Any) -> Any:  # noqa: ANN401 - any YAML value
        if not isinstance(data, dict) or data.get("id") is not None:
            return data
        fields = data.get("fields") or [data.get("field")]
        parts = [data.get("type"), data.get("metric"), *(fields if isinstance(fields, list | tuple) else [])]
        derived = "_".join(str(part) for part in parts if part)
        return {**data, "id": re.sub(r"\W", "_", derived, flags=re.ASCII)}


class Required(Rule):
    """Fields that may not be NULL."""

    type: Literal["required"]
    fields: Columns


class Regex(Rule):
    """A text field that must match a regular expression."""

    type: Literal["regex"]
    field: Text
    pattern: Pattern


class Range(Rule):
    """A field that must lie between two bounds, both inclusive."""

    type: Literal["range"]
    field: Text
    min: Bound | None = None
    max: Bound | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        low, high = self.min, self.max
        if low is None and high is None:
            msg = f"Rule `{self.id}` needs `min`, `max` or both."
            raise ValueError(msg)
        if low is None or high is None:
            return self
        if isinstance(low, str) != isinstance(high, str):
            msg = f"Rule `{self.id}` mixes types: min {low!r}, max {high!r}. Write two numbers or two texts."
            raise ValueError(msg)
        if low > high:  # type: ignore[operator]
            msg = f"Rule `{self.id}` can never pass: min {low!r} is above max {high!r}. Swap them."
            raise ValueError(msg)
        return self


class Unique(Rule):
    """Fields that together occur once: in a batch, or also in what a destination holds."""

    type: Literal["unique"]
    fields: Columns
    scope: Text | None = Field(default=None, description="A destination whose loaded rows count too; default: none.")


class Reference(Frozen):
    """The column that a foreign key points to: of a table, or of what a destination of this pipeline holds."""

    connector: Text | None = None
    table: Text | None = None
    destination: Text | None = Field(
        default=None, description="A destination of this pipeline, in place of `connector` and `table`."
    )
    field: Text

    @model_validator(mode="after")
    def _one_place(self) -> Reference:
        given = (self.connector is not None, self.table is not None, self.destination is not None)
        if given not in {(True, True, False), (False, False, True)}:
            msg = (
                "`reference` needs either `connector` and `table`, or `destination`. Write "
                "{connector: warehouse, table: raw.airlines, field: carrier} or {destination: warehouse, field: id}."
            )
            raise ValueError(msg)
        return self


class ForeignKey(Rule):
    """A field whose values must exist in another table."""

    type: Literal["foreign_key"]
    field: Text
    reference: Reference


class Accepted(Rule):
    """A field that takes only the listed values."""

    type: Literal["accepted"]
    field: Text
    values: Annotated[tuple[Any, ...], Field(min_length=1)]

    @field_validator("values")
    @classmethod
    def _scalars(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        for value in values:
            if isinstance(value, dict | list):
                msg = f"`values` takes texts, numbers, true and false; {value!r} is none of these."
                raise ValueError(msg)  # noqa: TRY004 - pydantic wants ValueError
        return values


class Condition(Rule):
    """A SQL expression that must be true for every row."""

    type: Literal["condition"]
    sql: Text


class Volume(Rule):
    """A batch must hold at least so many rows."""

    type: Literal["volume"]
    min_rows: Count


class Freshness(Rule):
    """The newest value of a time field may be at most so old."""

    type: Literal["freshness"]
    field: Text
    max_age: Seconds


class Pandera(Rule):
    """A pandera Check, or a function that makes one, from a module of your own."""

    type: Literal["pandera"]
    check: ImportPath
    field: Text | None = Field(default=None, description="A column; without it the check gets the whole frame.")


#: half the width of an anomaly's band in robust standard deviations, by name
SENSITIVITIES = {"low": 5.0, "medium": 3.5, "high": 2.5}


def _sensitivity(value: Any) -> float | str:  # noqa: ANN401 - any YAML value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if (number and 0 < value < float("inf")) or (isinstance(value, str) and value in SENSITIVITIES):
        return float(value) if number else str(value)
    msg = f"{show(value)} is no sensitivity. Allowed: {', '.join(SENSITIVITIES)}, or k, a number above 0."
    raise ValueError(msg)


Sensitivity = Annotated[
    float | str, PlainValidator(_sensitivity, json_schema_input_type=float | Literal["low", "medium", "high"])
]


class Anomaly(Rule):
    """A figure of the batch that must lie within the band learned from the batches before; it only warns."""

    type: Literal["anomaly"]
    severity: Literal["warning", "info"] = Field(default="warning", description="An anomaly never rejects.")
    metric: Literal["rows", "null_share", "distinct"] = Field(description="What is measured.")
    field: Text | None = Field(default=None, description="The column that null_share and distinct are about.")
    window: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        default=30, description="Batches before this one that are looked at, at most."
    )
    min_history: Annotated[int, Field(strict=True, ge=3)] = Field(
        default=7, description="Batches that must be known before anything is judged."
    )
    sensitivity: Sensitivity = Field(
        default="medium", description="low, medium, high, or k: half the band in robust standard deviations."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Anomaly:
        if (self.metric == "rows") != (self.field is None):
            need = "takes no `field`. Remove it." if self.metric == "rows" else "needs a `field`. Write `field: email`."
            msg = f"Rule `{self.id}`: metric {self.metric} {need}"
            raise ValueError(msg)
        if self.min_history > self.window:
            msg = (
                f"Rule `{self.id}` can never judge: min_history {self.min_history} is above window {self.window}. "
                "Write a larger `window`."
            )
            raise ValueError(msg)
        return self

    @property
    def deviations(self) -> float:
        """Half the width of the band in robust standard deviations."""
        return SENSITIVITIES[self.sensitivity] if isinstance(self.sensitivity, str) else self.sensitivity

    @property
    def figure(self) -> str:
        """The name of what is measured, such as ``rows`` or ``distinct:email``."""
        return self.metric if self.field is None else f"{self.metric}:{self.field}"


class Reconciliation(Rule):
    """Row counts and sums that must agree between the source and a destination, partition by partition."""

    type: Literal["reconciliation"]
    sums: tuple[Text, ...] = Field(default=(), description="Numeric columns whose sums are compared too.")
    destination: Text | None = Field(default=None, description="Which destination; default: every one.")
    tolerance: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="Difference allowed, in rows and in the units of each sum."
    )
    tolerance_share: Share = Field(default=0.0, description="Difference allowed, as a share of the source's figure.")


RuleSpec = Annotated[
    Required
    | Regex
    | Range
    | Unique
    | ForeignKey
    | Accepted
    | Condition
    | Pandera
    | Volume
    | Freshness
    | Anomaly
    | Reconciliation,
    Field(discriminator="type"),
]
#: types that are no matter of one row, which a replay and a preview leave out
WHOLE_BATCH = frozenset({"volume", "freshness", "anomaly"})
#: types that are judged once rows are loaded
AFTER_LOAD = frozenset({"reconciliation"})
