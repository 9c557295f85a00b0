"""`pipelines preview`: the first records as they would be loaded, and those that would be rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import Count, json_option, partition_option, pipeline_argument
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine import PreviewReport


@click.command("preview", short_help="Show the first records after transforms and rules.")
@pipeline_argument
@click.option("--limit", type=Count(), default=10, show_default=True, metavar="N", help="Records read.")
@partition_option
@json_option
def command(name: str, limit: int, partition: str | None, *, as_json: bool) -> None:
    """Read the first records of NAME and show them after transforms and rules; no state is touched.

    Those that the next run would read; where nothing is new, those at the beginning of the stream.
    """
    from platform_pipelines.engine import preview

    report = preview(load_project(name), name, limit, partition)
    if report.since is not None:
        place = "the stream" if report.partition is None else f"partition {report.partition}"
        note(f"Nothing new since {report.since.plain()}; these are the first rows of {place}.")
    if as_json:
        write_json(report.to_json())
        return
    write("\n".join(lines(report)))
    for outcome in report.rules:
        if not outcome.passed:
            note(f"Rule {outcome.id} ({outcome.severity}): {outcome.failed:,} of {outcome.checked:,} failed.")


def lines(report: PreviewReport) -> list[str]:
    """The preview for people: rows, rejected records, what transforms did."""
    said = [_rows(report.rows) if report.rows else "No record would be loaded."]
    if not report.read:
        said = ["No record would be loaded: the next run reads nothing that is new."]
    if report.rejected:
        said += ["", _rejected(report.rejected)]
    said += [""] if report.transforms else []
    for each in report.transforms:
        trouble = f", skipped: {each.error}" if each.error else ""
        said.append(f"{each.label} ({each.kind}): {each.rows_in:,} in, {each.rows_out:,} out{trouble}")
    return said


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    from platform_pipelines.cli.tables import table

    names = list(dict.fromkeys(name for row in rows for name in row))
    return table(names, [[row.get(name) for name in names] for row in rows], title="Would be loaded")


def _rejected(rejected: Sequence[dict[str, Any]]) -> str:
    from platform_pipelines.cli.tables import table

    rows = [(each["rule"], each["reason"], each["record"]) for each in rejected]
    return table(("RULE", "REASON", "RECORD"), rows, title="Would be rejected")
