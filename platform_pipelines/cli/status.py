"""`pipelines status`: what ran when and how it ended; one run stage by stage."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import Count, json_option
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project

if TYPE_CHECKING:
    from platform_pipelines.engine import RunSummary


@click.command("status", short_help="Show what ran when and how it ended.")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--page", type=Count(), default=1, show_default=True, metavar="N", help="20 runs a page.")
@json_option
def command(name: str | None, page: int, *, as_json: bool) -> None:
    """Show runs, newest first: all, those of pipeline NAME, or the one whose token is NAME."""
    from platform_pipelines.engine.runhistory import PAGE, status

    found = status(load_project(), name, page)
    if as_json:
        write_json([entry(run) for run in found])
        return
    for run in (run for run in found if run.damaged):
        others = f", and {len(run.damaged) - 1} more" if len(run.damaged) > 1 else ""
        note(f"The record of run {run.token} is damaged: {run.damaged[-1]}{others} cannot be read, and is left out.")
    if not found:
        write("No runs." if page == 1 else f"No runs on page {page}.")
    elif name is not None and name == found[0].token:
        write(_one(found[0]))
    else:
        write(_table(found))
        if len(found) == PAGE:
            note(f"Older runs: `pipelines status{f' {name}' if name else ''} --page {page + 1}`.")


def entry(run: RunSummary) -> dict[str, Any]:
    """One run, as ``status --json`` prints it; times in ISO 8601, UTC."""
    body = run.to_json()
    times = {key: _moment(body[key]) for key in ("started_at", "ended_at")}
    return body | times | {"stages": [stage | {"at": _moment(stage["at"])} for stage in body["stages"]]}


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _table(found: list[RunSummary]) -> str:
    from platform_pipelines.cli.tables import table

    headers = ("TOKEN", "PIPELINE", "STATUS", "STARTED (UTC)", "SECONDS", "READ", "LOADED", "REJECTED", "ERROR")
    return table(headers, [_row(run) for run in found])


def _row(run: RunSummary) -> tuple[Any, ...]:
    loaded = run.rows.get("loaded") or {}
    return (
        run.token,
        run.pipeline,
        run.status,
        (_moment(run.started_at) or "")[:19],
        run.seconds,
        run.rows.get("read"),
        sum(loaded.values()) if loaded else None,
        run.rows.get("rejected"),
        run.error,
    )


def _one(run: RunSummary) -> str:
    from platform_pipelines.cli.tables import table

    title = f"{run.pipeline} {run.status} {run.token}"
    rows = []
    for stage in run.stages:
        rest = {key: value for key, value in stage.items() if key not in _LEFT_OUT and value not in _EMPTY}
        rows.append(((_moment(stage["at"]) or "")[:23], stage["stage"], ", ".join(f"{k} {v}" for k, v in rest.items())))
    return table(("AT (UTC)", "STAGE", "WHAT"), rows, title=title)


#: shown elsewhere in the table, or said by the stages before the end
_LEFT_OUT = frozenset({"stage", "at", "pipeline", "token", "rows", "destinations"})
_EMPTY: tuple[Any, ...] = (None, [], {}, "")
