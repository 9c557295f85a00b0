"""Names, owners and tags, held to what Dagster accepts, so that nothing fails only there."""

from __future__ import annotations

import keyword
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from platform_pipelines.spec.nearest import show

_NAME = re.compile(r"[A-Za-z0-9_]+")
_GROUP = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_TAG_KEY = re.compile(r"([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}")
_MAX_NAME = 200
#: what Dagster refuses as the name of a job or an asset's op
RESERVED = frozenset(keyword.kwlist) | {
    "arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "input_arg_dict", "int", "meta",
    "output", "output_arg_dict", "str", "type",
}  # fmt: skip
#: the assets every pipeline has besides its destinations
STAGES = ("landing", "validated")


def suggestion(name: str) -> str:
    """A legal name close to ``name``."""
    clean = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", name)).strip("_")[:_MAX_NAME]
    return f"{clean or 'my'}_pipeline" if not clean or clean in RESERVED else clean


def asset_name(value: str) -> str:
    """A name that may be part of an asset key or name a check.

    Raises:
        ValueError: a character, the length or the emptiness is refused by Dagster.
    """
    if not _NAME.fullmatch(value) or len(value) > _MAX_NAME:
        msg = (
            f"{show(value)} is not allowed as a name: Dagster takes letters A-Z and a-z, digits and _ in asset keys, "
            f"at most {_MAX_NAME} of them. Write `{suggestion(value)}`."
        )
        raise ValueError(msg)
    return value


def pipeline_name(value: str) -> str:
    """A name that may name assets and a job.

    Raises:
        ValueError: not an asset name, or reserved.
    """
    asset_name(value)
    if value in RESERVED:
        msg = f"{value!r} is reserved by Dagster or Python for other things. Write `{suggestion(value)}`."
        raise ValueError(msg)
    return value


def _destination_name(value: str) -> str:
    asset_name(value)
    if value in STAGES:
        msg = f"{value!r} is taken by the asset of that stage. Write `{value}_destination`."
        raise ValueError(msg)
    return value


def group_name(value: str) -> str:
    """A domain: segments with / between them.

    Raises:
        ValueError: a character is refused by Dagster as part of a group's name.
    """
    if not _GROUP.fullmatch(value):
        msg = (
            f"{show(value)} is not allowed: Dagster takes letters, digits and _ in group names, with / between "
            f"segments. Write `{suggestion(value)}`."
        )
        raise ValueError(msg)
    return value


def _owner(value: str) -> str:
    team = value.removeprefix("team:")
    if _EMAIL.fullmatch(value) or (team != value and team):
        return value
    msg = f"{show(value)} is neither an e-mail address nor a team. Write `team:{suggestion(team)}` or a full address."
    raise ValueError(msg)


def _tag_texts(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    if not isinstance(value, dict):
        return value
    return {
        key: str(text) if isinstance(text, int) and not isinstance(text, bool) else text for key, text in value.items()
    }


def _tags(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(text):
            msg = (
                f"Tag {key!r}: {text!r} is not allowed: Dagster takes letters, digits, _, - and . in keys (with one "
                "namespace before a /) and values, 63 characters at most."
            )
            raise ValueError(msg)
    return value


AssetName = Annotated[str, AfterValidator(asset_name), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_]+$"})]
PipelineName = Annotated[
    str, AfterValidator(pipeline_name), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_]+$"})
]
DestinationName = Annotated[
    str, AfterValidator(_destination_name), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_]+$"})
]
GroupName = Annotated[str, AfterValidator(group_name)]
Owner = Annotated[str, AfterValidator(_owner)]
Tags = Annotated[
    dict[str, str],
    BeforeValidator(_tag_texts),
    AfterValidator(_tags),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "integer"]}}),
]
