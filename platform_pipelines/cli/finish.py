"""The end of a run: its report as JSON or as tables, the next step, the exit code."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.interrupt import RunInterrupted, interrupted
from platform_pipelines.cli.output import count, note, write, write_json
from platform_pipelines.cli.transformed import HEADERS as TRANSFORM_HEADERS
from platform_pipelines.cli.transformed import transform_rows, warnings
from platform_pipelines.errors import AccountingError, StoreCorrupt

if TYPE_CHECKING:
    from platform_pipelines.engine import Project, RunReport
    from platform_pipelines.store.runs import Entry

_HEADERS = (
    "DESTINATION", "STATUS", "ROWS", "REJECTED", "FILTERED", "DEDUPLICATED", "FLAGGED", "WATERMARK", "SECONDS",
    "ROWS/S",
)  # fmt: skip
_LISTED = 3


def finish(project: Project, report: RunReport, *, as_json: bool) -> None:
    """Show the report and exit with its code.

    Raises:
        click.exceptions.Exit: the run did not succeed.
        KeyboardInterrupt: the run did not succeed, as somebody pressed Ctrl-C.
    """
    if report.exit_code and interrupted():
        raise RunInterrupted(report.token)
    if as_json:
        write_json(report.to_json())
    else:
        write(summary(report, project.store.runs.entries(report.pipeline, report.token), _rules(project, report)))
    if os.environ.get("PIPELINES_DEBUG") == "1":
        for error in report.errors:
            note("".join(traceback.format_exception(error)).rstrip())
    entries = project.store.runs.entries(report.pipeline, report.token)
    said = complaints(report) + warnings(entries) + alerts(project, report.pipeline)
    for line in said + ([] if as_json else hints(report)):
        note(line)
    if report.exit_code:
        raise click.exceptions.Exit(report.exit_code)


def summary(report: RunReport, entries: list[Entry], rules: dict[str, str]) -> str:
    """What was read, rejected and loaded, as text.

    Args:
        report: the run.
        entries: its record, stage by stage.
        rules: severity by id of the pipeline's rules.
    """
    from platform_pipelines.cli.tables import table

    partitions = report.partitions
    which = f", {count(len(partitions), 'partition')} {_list(partitions)}" if partitions else ""
    parts = [
        f"{report.pipeline}: {report.status.replace('_', ' ')}{which}",
        f"read {report.read:,} rows, landed {report.bytes:,} bytes in {report.seconds:.2f} s, token {report.token}",
    ]
    if report.destinations:
        parts += ["", table(_HEADERS, _destination_rows(report, entries))]
    failed = _failures(entries)
    if failed:
        rows = [(rule, rules.get(rule), "passed" if not count else "failed", count) for rule, count in failed.items()]
        parts += ["", table(("RULE", "SEVERITY", "OUTCOME", "ROWS FAILED"), rows)]
    if done := transform_rows(entries):
        parts += ["", table(TRANSFORM_HEADERS, done)]
    return "\n".join(parts)


def complaints(report: RunReport) -> list[str]:
    """One line an error, without doubles."""
    said = [f"{name}: {each.error}" for name, each in report.destinations.items() if each.error]
    said += [str(error) for error in report.errors if not any(str(error) in line for line in said)]
    return list(dict.fromkeys(said or ([report.error] if report.error else [])))


def alerts(project: Project, name: str) -> list[str]:
    """What `quality.alert` has to say, if anything."""
    from platform_pipelines.engine import recent_dead_letters

    alert = project.pipeline(name).quality.alert
    found = recent_dead_letters(project, name) if alert is not None else 0
    if alert is None or found <= alert.max_dead_letters:
        return []
    allowed = f"`quality.alert.max_dead_letters` allows {alert.max_dead_letters:,}"
    return [f"Alert: {found:,} dead letters in the last {alert.window:g} s; {allowed}."]


def hints(report: RunReport) -> list[str]:
    """What a person may want to do next."""
    name = report.pipeline
    if report.status == "gate_closed":
        return [
            f"Next: `pipelines state {name}` shows what is held; mend the rules and run again, or",
            f"  `pipelines run {name} --full-refresh`   mend the source and read it anew",
            f"  `pipelines run {name} --release`        let the held batch through",
            f"  `pipelines run {name} --discard`        drop it to the dead letters",
        ]
    if report.status in {"partial", "failed"}:
        broken = any(isinstance(error, StoreCorrupt | AccountingError) for error in report.errors)
        safe = "" if broken else "Nothing is lost: mend it and run again. "
        return [f"{safe}Stages of this run: `pipelines status {report.token}`."]
    if report.rejected:
        return [f"{count(report.rejected, 'record')} rejected: `pipelines dead-letters {name}`."]
    return []


def _destination_rows(report: RunReport, entries: list[Entry]) -> list[tuple[Any, ...]]:
    landed = sum(entry.body.get("deduplicated", 0) for entry in entries if entry.stage == "landing")
    watermark = None if report.watermark_to is None else str(report.watermark_to.plain())
    rows = []
    for name, each in report.destinations.items():
        loads = [entry.body for entry in entries if entry.stage == "load" and entry.body.get("destination") == name]
        seconds = sum(body["seconds"] for body in loads)
        rows.append(
            (
                name,
                each.status,
                each.rows,
                report.rejected,
                report.filtered,
                landed + sum(body["deduplicated"] for body in loads),
                report.flagged,
                watermark,
                float(seconds),
                round(each.rows / seconds) if seconds else None,
            )
        )
    return rows


def _failures(entries: list[Entry]) -> dict[str, int]:
    failed: dict[str, int] = {}
    for entry in entries:
        if entry.stage in {"validated", "load"}:
            for rule, count in (entry.body.get("rules") or {}).items():
                failed[rule] = failed.get(rule, 0) + count
    return failed


def _rules(project: Project, report: RunReport) -> dict[str, str]:
    return {rule.id: rule.severity for rule in project.pipeline(report.pipeline).quality.rules}


def _list(keys: tuple[str, ...]) -> str:
    return ", ".join(keys) if len(keys) <= _LISTED else f"{keys[0]} … {keys[-1]}"
