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
        "description": "New column or path: source column or path, or {from, convert, default, …}.",
        "additionalProperties": {
            "anyOf": [
                _TEXT,
                {"type": "null"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "from": _TEXT,
                        "convert": {
                            "description": "A converter, or several, one after the other; module:name is a function.",
                            "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
                        },
                        "default": {"description": "What stands for NULL, and for what is missing."},
                        "format": {**_TEXT, "description": "Of a time: strptime's, iso8601, epoch or epoch_ms."},
                        "timezone": {**_TEXT, "description": "IANA zone of times that bear none; default UTC."},
                        "separator": {**_TEXT, "description": "What split cuts at; default a comma."},
                    },
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
                "required": ["connector"],
                "oneOf": [{"required": ["table"]}, {"required": ["stream"]}],
                "properties": {
                    "connector": _CONNECTOR,
                    "table": _TEXT,
                    "stream": _TEXT,
                    "options": {"type": "object", "description": "As in source.options."},
                },
            },
            "on": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
            "how": {"enum": ["left", "inner"]},
            "select": {"type": "array", "items": _TEXT},
            "prefix": {"type": "string"},
            "duplicates": {
                "enum": ["all", "fail"],
                "description": "What a row with several matches is: a row for each (default), or a failure.",
            },
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
        "additionalProperties": {
            "anyOf": [
                {"enum": ["sha256", "redact", "keep_last"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["how"],
                    "properties": {
                        "how": {"enum": ["sha256", "redact", "keep_last", "tokenize", "tokenise"]},
                        "salt": {"type": "string", "pattern": r"\$\{[a-z]+://", "description": "A secret reference."},
                        "n": {"type": "integer", "minimum": 1, "description": "Characters that keep_last shows."},
                        "prefix": {"type": "string", "description": "What tokens begin with; default tok_."},
                    },
                },
            ]
        },
    },
    "python": {**_TEXT, "description": "A text that turns one `record` into another, run isolated."},
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
    parts["Reference"]["oneOf"] = [{"required": ["connector", "table"]}, {"required": ["destination"]}]
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
        "unmapped": {
            "enum": ["drop", "keep"],
            "default": "drop",
            "description": "With map: what becomes of columns from which nothing is taken.",
        },
        "at": {
            "enum": ["landing", "validation"],
            "default": "validation",
            "description": "With mask: landing hides values before anything is stored.",
        },
    }
    return {
        "description": "One transform.",
        "type": "object",
        "additionalProperties": False,
        "properties": {**{kind: _BODIES[kind] for kind in KINDS}, **common},
        "oneOf": [{"required": [kind]} for kind in KINDS],
    }
