"""`pipelines list`: what is declared, without reaching any system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import json_option
from platform_pipelines.cli.output import write, write_json
from platform_pipelines.cli.project import HOW_TO_BEGIN, load_project

if TYPE_CHECKING:
    from platform_pipelines.spec import PipelineSpec


@click.command("list")
@json_option
def command(*, as_json: bool) -> None:
    """List the pipelines of this project."""
    project = load_project()
    entries = [entry(spec) for spec in project.catalog.pipelines.values()]
    if as_json:
        write_json(entries)
    elif not entries:
        write(f"No pipelines in {project.catalog.defs}. {HOW_TO_BEGIN}")
    else:
        write(_table(entries))


def entry(spec: PipelineSpec) -> dict[str, Any]:
    """One pipeline, as ``list --json`` prints it."""
    return {
        "name": spec.name,
        "domain": spec.domain,
        "description": spec.description,
        "source": {"connector": spec.source.connector, "stream": spec.source.stream},
        "mode": spec.source.mode,
        "destinations": [
            {"name": each.name, "connector": each.connector, "table": each.table, "mode": each.mode}
            for each in spec.destinations
        ],
        "partitions": None if spec.partitions is None else {"by": spec.partitions.by, "field": spec.partitions.field},
        "schedule": None if spec.schedule is None else {"cron": spec.schedule.cron, "timezone": spec.schedule.timezone},
        "after": list(spec.triggers.after),
        "file": spec.file,
    }


def _table(entries: list[dict[str, Any]]) -> str:
    from platform_pipelines.cli.tables import table

    headers = ("NAME", "DOMAIN", "SOURCE", "MODE", "DESTINATIONS", "PARTITIONS", "SCHEDULE")
    return table(headers, [_row(each) for each in entries])


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    partitions, schedule = each["partitions"], each["schedule"]
    return (
        each["name"],
        each["domain"],
        f"{each['source']['connector']}: {each['source']['stream']}",
        each["mode"],
        ", ".join(f"{item['name']} ({item['mode']})" for item in each["destinations"]),
        f"{partitions['by']} of {partitions['field']}" if partitions else "",
        f"{schedule['cron']} {schedule['timezone']}" if schedule else _after(each["after"]),
    )


def _after(names: list[str]) -> str:
    return f"after {', '.join(names)}" if names else ""
