"""What all models of the YAML share: frozen, no unknown keys, strict scalars.

Reading YAML is left to ``tree``, wording of errors to ``explain``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

from platform_pipelines.spec.duration import SECONDS_SCHEMA, seconds


class Frozen(BaseModel):
    """Base of all models; a key whose value is null counts as not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:  # noqa: ANN401 - any YAML value
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = cls.yaml_keys()
        return {key: value for key, value in data.items() if value is not None or key not in known}

    @classmethod
    def yaml_keys(cls) -> list[str]:
        """The keys allowed in the YAML, in the order of their declaration."""
        return [field.alias or name for name, field in cls.model_fields.items()]


Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0)]
Positive = Annotated[int, Strict(), Field(ge=1)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Seconds = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str | float), Field(ge=0), SECONDS_SCHEMA]
Columns = Annotated[tuple[Text, ...], Field(min_length=1)]
