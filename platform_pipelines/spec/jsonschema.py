"""The JSON Schema of a pipeline's file, so that editors complete and check it while it is written.

Made from the models, plus what they see only after normalization: the short
form, inline connectors, names that are derived.
"""

from __future__ import annotations

from typing import Any

from platform_pipelines.spec.destination import MODE_ALIASES
from platform_pipelines.spec.pipeline import PipelineSpec
from platform_pipelines.spec.transform import KINDS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_CONNECTOR: Schema = {
    "description": "A name from connectors.yaml, or an inline connector.",
    "anyOf": [_TEXT, {"type": "object", "required": ["type"], "properties": {"type": _TEXT}}],
}
_BODIES: dict[str, Schema] = {
    "map": {
        "type": "object",
        "minProperties": 1,
        "description": "New column: source column, or {from, convert, default}.",
        "additionalProperties": {
            "anyOf": [
                _TEXT,
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"from": _TEXT, "convert": _TEXT, "default": {}},
                },
            ]
        },
    },
    "filter": {**_TEXT, "description": "A SQL condition; rows for which it is true are kept."},
    "sql": {**_TEXT, "description": "A SELECT from the relation `input`."},
    "join": {
        "type": "object",
        "description": "Add columns of another table.",
        "additionalProperties": False,
        "required": ["with", "on"],
        "properties": {
            "with": {
                "type": "object",
                "additionalProperties": False,
                "required": ["connector", "table"],
                "properties": {"connector": _CONNECTOR, "table": _TEXT},
            },
            "on": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
            "how": {"enum": ["left", "inner"]},
            "select": {"type": "array", "items": _TEXT},
            "prefix": {"type": "string"},
        },
    },
    "aggregate": {
        "type": "object",
        "description": "One row for each group.",
        "additionalProperties": False,
        "required": ["values"],
        "properties": {
            "by": {"type": "array", "items": _TEXT},
            "values": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        },
    },
    "mask": {
        "type": "object",
        "minProperties": 1,
        "description": "Hide personal data.",
        "additionalProperties": {"enum": ["sha256", "redact"]},
    },
    "python": {**_TEXT, "description": "Not available yet: use function or sql."},
    "function": {
        "type": "string",
        "pattern": r"^[\w.]+:[\w.]+$",
        "description": "Import path of a function pandas.DataFrame -> pandas.DataFrame.",
    },
}
_SHORT: dict[str, Schema] = {
    "domain_id": {**_TEXT, "description": "Short form of domain."},
    "destination": {
        "type": "object",
        "description": "Short form of destinations: a saved connector or a connector type, and its settings.",
        "required": ["name"],
        "properties": {"name": _TEXT, "config": {"type": "object"}},
    },
    "engine": {
        "type": "object",
        "description": "Short form of source.checkpoint_pages.",
        "additionalProperties": False,
        "properties": {"syncCursorInDBEvery": {"type": "integer", "minimum": 1}},
    },
}
_AUTHENTICATION: Schema = {
    "type": "object",
    "description": "Short form: credentials, merged into the connector.",
    "additionalProperties": False,
    "properties": {"type": _TEXT, "params": {"type": "object"}},
}


def json_schema() -> Schema:
    """The schema (draft 2020-12) of one pipeline, in the canonical or the short form."""
    schema = PipelineSpec.model_json_schema(by_alias=True)
    parts: dict[str, Schema] = schema["$defs"]
    _source(parts["SourceSpec"])
    _destination(parts["DestinationSpec"])
    parts["Reference"]["properties"]["connector"] = _CONNECTOR
    parts["TransformSpec"] = _transform()
    for part in parts.values():
        if {"id", "severity"} <= part.get("properties", {}).keys():
            part["required"].remove("id")
    schema["properties"] |= _SHORT
    schema["properties"]["steps"]["maxItems"] = 0
    schema["required"] = ["name", "source"]
    schema["anyOf"] = [{"required": ["destinations"]}, {"required": ["destination"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Pipeline"}


def _source(part: Schema) -> None:
    named = {"name": {**_TEXT, "description": "Short form: a saved connector or a connector type."}}
    part["properties"] |= {"connector": _CONNECTOR, **named, "authentication": _AUTHENTICATION}
    part["required"] = ["stream"]
    part["anyOf"] = [{"required": ["connector"]}, {"required": ["name"]}]


def _destination(part: Schema) -> None:
    part["properties"]["connector"] = _CONNECTOR
    part["properties"]["mode"]["enum"] += list(MODE_ALIASES)
    part["required"] = ["connector"]


def _transform() -> Schema:
    common: dict[str, Schema] = {
        "label": {**_TEXT, "description": "Shown to people; default: kind and position."},
        "required": {"type": "boolean", "default": True, "description": "Whether its failure fails the run."},
    }
    return {
        "description": "One transform.",
        "type": "object",
        "additionalProperties": False,
        "properties": {**{kind: _BODIES[kind] for kind in KINDS}, **common},
        "oneOf": [{"required": [kind]} for kind in KINDS],
    }
