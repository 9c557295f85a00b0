"""`pipelines plan`: what the next run would read and change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from platform_pipelines.cli.options import json_option, partition_option, pipeline_argument
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project

if TYPE_CHECKING:
    from platform_pipelines.engine import PlanReport


@click.command("plan", short_help="Show what the next run would read and change.")
@pipeline_argument
@partition_option
@click.option("--full-refresh", is_flag=True, help="Plan a run that reads everything anew.")
@json_option
def command(name: str, partition: str | None, *, full_refresh: bool, as_json: bool) -> None:
    """Show the window, query and schema changes of the next run of NAME; nothing is written.

    Of a partitioned pipeline, without --partition, the newest partition is planned.
    """
    from platform_pipelines.engine import plan

    report = plan(load_project(name), name, partition, full_refresh=full_refresh)
    if as_json:
        write_json(report.to_json())
        return
    write("\n".join(lines(report)))
    if report.destructive:
        note(f"Destructive changes run only with `pipelines run {name} --allow-destructive`.")


def lines(report: PlanReport) -> list[str]:
    """The plan for people."""
    body = report.to_json()
    window = body["window"]
    rows = body["estimated_rows"]
    said = [f"Pipeline        {report.feed.pipeline}"]
    if window["partition"] is not None:
        said.append(f"Partition       {window['partition']}")
    said.append(f"Window          {_window(window)}")
    said.append(f"Estimated rows  {'unknown' if rows is None else f'{rows:,}'}")
    said += _section("Query", [body["query"] or "this source cannot say"])
    said += _section("Schema changes", body["ddl"] or ["none"])
    said += _section("Files", list(report.notes)) if report.notes else []
    return said + (_section("Destructive changes", body["destructive"]) if body["destructive"] else [])


def _window(window: dict[str, object]) -> str:
    if window["field"] is None:
        return "everything"
    low = "" if window["from"] is None else f"{window['from']} <= "
    high = "" if window["to"] is None else f" < {window['to']}"
    return f"{low}{window['field']}{high}" if low or high else f"{window['field']} from the beginning"


def _section(title: str, items: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for item in items for line in item.splitlines())]
