"""A project of many pipelines, for what grows with their number: 10 domains, schedules, rules, some partitions.

Every pipeline reads a CSV file of three rows and loads one folder of Parquet files, so that
a run's time is what is around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DOMAINS = 10
#: every so many pipelines: one by day, one that follows its neighbour
_BY_DAY = 10
_AFTER = 20

_CONNECTORS = """
drops: {type: files, root: in, format: csv}
lake: {type: files, root: lake, format: parquet}
"""
_PIPELINE = """\
name: {name}
domain: domain_{domain}
description: Orders of shop {number}, as they were entered.
owners: [team:domain_{domain}]
tags: {{tier: gold}}
source:
  connector: drops
  stream: orders.csv
  mode: incremental
  cursor: {{field: updated_at, timezone: UTC}}
transforms:
  - map: {{id: id, email: {{from: email, convert: lower}}, amount: amount, updated_at: updated_at}}
  - filter: "amount is null or amount > 0"
quality:
  rules:
    - {{id: complete, type: required, fields: [id, email], severity: error}}
    - {{id: format, type: regex, field: email, pattern: '^[^@]+@[^@]+$', severity: error}}
    - {{id: once, type: unique, fields: [id], severity: error}}
  gate: {{max_rejected: 1000, max_rejected_share: 0.5}}
destinations:
  - {{name: lake, connector: lake, table: {name}, mode: merge, key: [id]}}
{timing}retries: {{max: 3, delay: 10s, backoff: exponential}}
"""


def write(base: Path, pipelines: int) -> Path:
    """Write a project of so many pipelines below ``base``; the folder for ``PIPELINES_DEFS``."""
    defs = base / "defs"
    defs.mkdir(parents=True)
    (base / "workspace.yaml").write_text("load_from: [{python_module: platform_pipelines.definitions}]\n")
    (base / "in").mkdir()
    rows = [f"{i},User{i}@example.com,{i * 10},2024-01-0{i}T00:00:00Z" for i in (1, 2, 3)]
    (base / "in" / "orders.csv").write_text("\n".join(["id,email,amount,updated_at", *rows, ""]))
    (defs / "connectors.yaml").write_text(_CONNECTORS)
    for number in range(pipelines):
        domain, name = number % DOMAINS, f"orders_{number:04}"
        folder = defs / f"domain_{domain}"
        folder.mkdir(exist_ok=True)
        text = _PIPELINE.format(name=name, domain=domain, number=number, timing=_timing(number))
        (folder / f"{name}.yaml").write_text(text)
    return defs


def _timing(number: int) -> str:
    if number % _AFTER == _AFTER - 1:
        return f"triggers: {{after: [orders_{number - 1:04}]}}\n"
    schedule = f'schedule: {{cron: "{number % 60} 6 * * *", timezone: UTC}}\n'
    if number % _BY_DAY == _BY_DAY // 2:
        return "partitions: {by: day, field: updated_at, start: 2024-01-01, lookback: 1}\n" + schedule
    return schedule
