"""Texts of `pipelines new`: a first connectors.yaml, a first pipeline, the next steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONNECTORS = """\
# Connections, used by their names in pipelines. Paths lie under the folder of workspace.yaml,
# else under the current folder. Secrets only by reference: "${env://PG_DSN}".

drops:                      # files to read
  type: files
  root: data/in
  format: csv

warehouse:                  # an embedded database to load into
  type: duckdb
  path: data/warehouse.duckdb
"""

_PIPELINE = """\
# All keys: docs/reference/yaml.md. Completion in an editor: `pipelines schema > pipeline.schema.json`.
name: {name}
{domain}
description: ""
# owners: [team:data]
source:
  connector: {source}       # see `pipelines discover {source}`
  stream: {stream}
  mode: full_refresh        # reads everything each time; to read only what is new:
  # mode: incremental
  # cursor: {{field: updated_at}}

# transforms:
#   - filter: "amount > 0"
#   - sql: "select *, amount * 2 as double from input"

# quality:
#   rules:
#     - {{id: completeness, type: required, fields: [id], severity: error}}
#   gate: {{max_rejected_share: 0.01}}

destinations:
  - connector: {target}
    table: {table}
    mode: {mode}           # append | merge (needs key: [id]) | update | replace | delete

# schedule: {{cron: "0 6 * * *", timezone: UTC}}
"""

_FILES = "files"


def pipeline(*, name: str, domain: str | None, source: str, stream: str, target: str, mode: str) -> str:  # noqa: PLR0913 - the blanks of a form
    """The YAML of a first pipeline."""
    return _PIPELINE.format(
        name=name,
        domain=f"domain: {json.dumps(domain)}" if domain else "# domain: sales        # asset group; default: default",
        source=source,
        stream=json.dumps(stream, ensure_ascii=False),  # JSON strings are YAML
        target=target,
        table=json.dumps(f"raw.{name}") if mode != "append" else json.dumps(name),
        mode=mode,
    )


def stream(name: str, source_type: str) -> str:
    """What a stream of this name is likely called."""
    return f"{name}.csv" if source_type == _FILES else f"public.{name}" if source_type == "postgres" else name


def mode(target_type: str) -> str:
    """The load mode that suits a full refresh."""
    from platform_pipelines.connectors.registry import capabilities

    return "replace" if "replace" in capabilities(target_type).modes else "append"


def next_steps(name: str, path: Path, source: str) -> str:
    """What to type next."""
    return (
        f"Next:\n"
        f"  pipelines discover {source}            # what can be read\n"
        f"  edit {path}\n"
        f"  pipelines check {name} --connect\n"
        f"  pipelines preview {name} --limit 10\n"
        f"  pipelines run {name}"
    )
