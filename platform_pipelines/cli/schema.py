"""`pipelines schema`: the JSON Schema of a pipeline's YAML, for editors."""

from __future__ import annotations

import click

from platform_pipelines.cli.output import write_json


@click.command("schema", short_help="Print the JSON Schema of the YAML.")
def command() -> None:
    """Print the JSON Schema of the YAML, for completion and checks in an editor."""
    from platform_pipelines.spec.jsonschema import json_schema

    write_json(json_schema())
