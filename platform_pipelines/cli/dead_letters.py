"""`pipelines dead-letters`: rejected records and why; replay through today's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.finish import finish
from platform_pipelines.cli.options import Count, json_option, pipeline_argument
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine import Project

#: records a person is shown unless --limit says otherwise
SHOWN = 20


@click.command("dead-letters", short_help="Show rejected records and why; replay them.")
@pipeline_argument
@click.option(
    "--limit",
    type=Count(),
    metavar="N",
    help=f"Show at most N records (default {SHOWN}; all with --json).",
)
@click.option("--replay", is_flag=True, help="Judge the records by today's rules and load those that pass.")
@json_option
def command(name: str, limit: int | None, *, replay: bool, as_json: bool) -> None:
    """Show the rejected records of NAME with rule and reason, or --replay them."""
    project = load_project(name)
    if not replay:
        _list(project, name, limit, as_json=as_json)
        return
    if limit is not None:
        msg = "`--limit` does not go with `--replay`: a replay takes all open dead letters."
        raise UsageError(msg)
    from platform_pipelines.engine import replay_dead_letters

    finish(project, replay_dead_letters(project, name), as_json=as_json)


def _list(project: Project, name: str, limit: int | None, *, as_json: bool) -> None:
    from platform_pipelines.engine import dead_letters, newest_dead_letters

    if as_json:
        write_json(dead_letters(project, name, limit))
        return
    letters, total = newest_dead_letters(project, name, limit or SHOWN)
    if not letters:
        write(f"No open dead letters of `{name}`.")
        return
    write(_table(letters))
    note(f"{len(letters):,} of {total:,} shown. After a fix: `pipelines dead-letters {name} --replay`.")


def _table(letters: list[dict[str, Any]]) -> str:
    from platform_pipelines.cli.tables import table

    rows = [
        (letter["rule"], letter["reason"], letter["partition"], letter["batch"], letter["run"], letter["record"])
        for letter in letters
    ]
    return table(("RULE", "REASON", "PARTITION", "BATCH", "RUN", "RECORD"), rows)
