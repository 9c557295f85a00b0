"""The JSON Schema for editors accepts what the reader accepts and refuses what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from platform_pipelines.spec.jsonschema import json_schema
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.tree import plain

CANONICAL: dict[str, Any] = plain(parse(Path(__file__).with_name("canonical.yaml").read_bytes(), "canonical.yaml"))
SHORT = {
    "name": "contacts",
    "domain_id": "crm",
    "source": {
        "name": "hubspot",
        "stream": "contacts",
        "authentication": {"type": "api_key", "params": {"token": "t"}},
    },
    "destination": {"name": "logger", "config": {"dummy": "dummy"}},
    "engine": {"syncCursorInDBEvery": 2},
    "transforms": [{"label": "x", "python": "return record"}],
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def changed(path: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(CANONICAL))
    *parents, last = path.split(".")
    target = copy
    for part in parents:
        target = target[int(part)] if part.isdigit() else target[part]
    target[int(last) if last.isdigit() else last] = value
    return copy


def complaints(validator: jsonschema.Draft202012Validator, document: Any) -> list[str]:
    return [error.message for error in validator.iter_errors(document)]


def test_it_is_of_the_draft_that_it_names() -> None:
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_canonical_and_short_form_are_valid(validator: jsonschema.Draft202012Validator) -> None:
    assert complaints(validator, CANONICAL) == []
    assert complaints(validator, SHORT) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.connector", {"type": "memory", "anything": 1}),
        ("destinations.0.mode", "upsert"),
        ("partitions", {"by": "value", "field": "region", "values": ["eu", "us"]}),
        ("quality.rules.0", {"type": "required", "fields": ["id"]}),
        ("retries.delay", 5),
        ("source.cursor.lag", "15m"),
    ],
)
def test_variants_are_valid(validator: jsonschema.Draft202012Validator, path: str, value: Any) -> None:
    assert complaints(validator, changed(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.strem", "x"),
        ("source.connector", {"no": "type"}),
        ("destinations.0.mode", "upsrt"),
        ("destinations", []),
        ("partitions.by", "year"),
        ("quality.rules.0.type", "requird"),
        ("quality.gate.max_rejected_share", 2),
        ("transforms.0", {"filter": "a", "sql": "b"}),
        ("transforms.3.join.how", 1),
        ("retries.delay", "soon"),
        ("steps", [{}]),
        ("timeout", True),
    ],
)
def test_mistakes_are_not(validator: jsonschema.Draft202012Validator, path: str, value: Any) -> None:
    assert not validator.is_valid(changed(path, value))


def test_every_key_of_a_pipeline_is_described() -> None:
    assert [key for key, value in json_schema()["properties"].items() if "description" not in value] == []
