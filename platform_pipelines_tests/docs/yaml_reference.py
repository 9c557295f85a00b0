"""docs/reference/yaml.md, drawn from the models that read the YAML.

``python -m platform_pipelines_tests.docs.yaml_reference`` writes it; a test holds
the page equal to what this draws.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, TypeAdapter

from platform_pipelines.spec.destination import DestinationSpec
from platform_pipelines.spec.partitions import TimePartitions, ValuePartitions
from platform_pipelines.spec.pipeline import PipelineSpec
from platform_pipelines.spec.quality import AlertSpec, ApprovalSpec, GateSpec, QualitySpec, SchemaContract
from platform_pipelines.spec.rules import Reference, Rule, RuleSpec
from platform_pipelines.spec.source import CursorSpec, DeletesSpec, SourceSpec
from platform_pipelines.spec.timing import Retries, Schedule, Triggers
from platform_pipelines_tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PAGE = ROOT / "docs/reference/yaml.md"
_SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("pipeline", PipelineSpec),
    ("source", SourceSpec),
    ("source.cursor", CursorSpec),
    ("source.deletes", DeletesSpec),
    ("quality", QualitySpec),
    ("quality.gate", GateSpec),
    ("quality.approval", ApprovalSpec),
    ("quality.alert", AlertSpec),
    ("quality.schema_contract", SchemaContract),
    ("destinations[]", DestinationSpec),
    ("partitions by time", TimePartitions),
    ("partitions by value", ValuePartitions),
    ("schedule", Schedule),
    ("triggers", Triggers),
    ("retries", Retries),
]
#: defaults that are worked out from other keys while the YAML is read
_DERIVED = {
    (DestinationSpec, "name"): "the connector's name",
    (DestinationSpec, "table"): "the pipeline's name",
    (Rule, "id"): "type and fields",
}

#: what keys mean whose models leave it to the sentence above the table
_MEANINGS: dict[Any, str] = {
    "type": "Which rule this is.",
    "field": "A column.",
    "fields": "Columns.",
    "check": "Import path of a pandera Check, or of a function that judges a Series or a DataFrame, module:name.",
    "pattern": "A Python regular expression; it may match anywhere, so anchor it.",
    "min": "Lower bound, inclusive.",
    "max": "Upper bound, inclusive.",
    "reference": "Where the allowed values are.",
    "values": "The values allowed.",
    "sql": "A SQL expression over the columns.",
    "min_rows": "Rows.",
    "max_age": "Measured against the time of the run.",
    "connector": "A name from connectors.yaml, or an inline mapping.",
    "table": "As that connector names its streams.",
    (PipelineSpec, "retries"): "How passing faults are tried again.",
    (Retries, "max"): "Tries after the first.",
}
_NAMES = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "any": "any",
}
_INTRO = """# YAML reference

A pipeline is one YAML file, anywhere below the folder of definitions (`PIPELINES_DEFS`, default the packaged
`platform_pipelines/defs`); `connectors.yaml` lies at the top of that folder, or
[above it](connectors.md#where-connections-stand). `pipelines check` refuses what is
impossible, with file and line; `pipelines schema` prints a JSON Schema for editors.

This page is drawn from the models that read the YAML (`make reference`), and a test keeps it so.

- **YAML 1.2.** Only `true` and `false` are booleans: `on`, `no` and `NO` are texts. Dates are texts until something
  reads them as dates. A key may occur once.
- **A key whose value is null** counts as not given.
- **Durations** are seconds, or a number with a unit: `500ms`, `10s`, `15m`, `1h`, `2d`, `1w`.
- **Secrets** are written as references: `${env://NAME}`, `${env://NAME:-default}`, `${file:///run/secrets/name}`,
  `${gsm://projects/P/secrets/S}`. They are resolved only when a run needs them, and
  [masked wherever text leaves](../explanation/secrets.md).
- **Relative paths** lie under the folder that holds `workspace.yaml`, else under the current folder.
- **Wherever a connector is named**, an inline mapping `{type: …}` may stand instead; its keys are those of
  [connectors](connectors.md).

## Short form

A shorter form is accepted and means the same as the canonical one on its right:

| short | canonical |
|---|---|
| `source: {name, stream, authentication: {type, params}}` | `source: {connector: {type: name, …params}, stream}` |
| `destination: {name, config: {…}}` | `destinations: [{connector: {type: name, …config}}]` |
| `engine: {syncCursorInDBEvery: 10}` | `source: {checkpoint_pages: 10}` |
| `domain_id` | `domain` |

`name` may also be a connector of `connectors.yaml`. Settings of the load, such as `buffer_size`, are taken out of
`config`.
"""


def draw() -> str:
    """The whole page."""
    parts = [_INTRO, *(_section(f"`{title}`", model) for title, model in _SECTIONS)]
    parts.append(_section("`quality.rules[]`", Rule))
    parts.append("[Rules](rules.md) tells what each type means for NULL, and how it is checked.\n")
    for model in get_args(get_args(RuleSpec)[0]):
        kind = get_args(model.model_fields["type"].annotation)[0]
        parts.append(_section(f"`type: {kind}`", model, "###"))
    parts.append(_section("`reference` of a foreign key", Reference, "###"))
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], level: str = "##") -> str:
    schema = TypeAdapter(model).json_schema(by_alias=True)
    lines = [f"{level} {title}", "", (model.__doc__ or "").splitlines()[0], ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    shared = Rule.model_fields if model is not Rule else ()
    for name, field in model.model_fields.items():
        if name in shared:
            continue
        key = field.alias or name
        meaning = field.description or _MEANINGS.get((model, key)) or _MEANINGS[key]
        lines.append(f"| `{key}` | {_shape(schema['properties'][key])} | {_default(model, name, field)} | {meaning} |")
    return "\n".join([*lines, ""])


def _shape(part: dict[str, Any]) -> str:
    """A JSON Schema type in words."""
    choices = [each for each in part.get("anyOf", part.get("oneOf", [])) if each.get("type") != "null"]
    if any("(ms|s|m|h|d|w)" in each.get("pattern", "") for each in choices):
        return "duration"
    if choices:
        return " or ".join(dict.fromkeys(_shape(each) for each in choices))
    if "enum" in part or "const" in part:
        return " \\| ".join(f"`{value}`" for value in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return f"list of {_shape(part['items'])}s" if part.get("items") else "list"
    kinds = part.get("type", "object" if "$ref" in part else "any")
    return " or ".join(_NAMES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _default(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if (model, name) in _DERIVED:
        text = _DERIVED[model, name]
    elif field.is_required():
        text = "**required**"
    elif isinstance(value, BaseModel):
        text = "see below"
    elif not value and value is not False and value != 0:
        text = "none"
    elif "duration" in _shape(TypeAdapter(model).json_schema()["properties"][name]):
        text = f"`{value:g}s`"
    else:
        text = f"`{json.dumps(value)}`"
    return text


if __name__ == "__main__":
    PAGE.write_text(draw())
