"""Quality rules as declared; what they mean for data is left to ``quality``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, field_validator, model_validator

from platform_pipelines.spec.base import Columns, Count, Frozen, Seconds, Text
from platform_pipelines.spec.checked import Pattern
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
        parts = [data.get("type"), *(fields if isinstance(fields, list | tuple) else [])]
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
    """Fields that together occur once in a batch."""

    type: Literal["unique"]
    fields: Columns


class Reference(Frozen):
    """The column that a foreign key points to."""

    connector: Text
    table: Text
    field: Text


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


RuleSpec = Annotated[
    Required | Regex | Range | Unique | ForeignKey | Accepted | Condition | Volume | Freshness,
    Field(discriminator="type"),
]
