"""`pipelines state`: watermark, batches and every destination's offset; reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import confirm, json_option, partition_option, pipeline_argument, yes_option
from platform_pipelines.cli.output import count, note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine import Project


@click.command("state", short_help="Show watermark, batches and offsets; reset them.")
@pipeline_argument
@click.option("--reset", is_flag=True, help="Begin anew: the next run reads everything and replaces what was loaded.")
@partition_option
@yes_option
@json_option
def command(name: str, partition: str | None, *, reset: bool, yes: bool, as_json: bool) -> None:
    """Show how far NAME and each of its destinations have come."""
    from platform_pipelines.engine import state

    project = load_project()
    if reset:
        _reset(project, name, partition, yes=yes)
    elif partition is not None:
        msg = "`--partition` goes with `--reset`; without it all partitions are shown."
        raise UsageError(msg)
    body = state(project, name).to_json()
    if as_json:
        write_json(body)
    elif not body["feeds"]:
        write(f"Nothing has landed yet. Run it: `pipelines run {name}`.")
    else:
        _show(name, body)


def _reset(project: Project, name: str, partition: str | None, *, yes: bool) -> None:
    from platform_pipelines.engine import reset
    from platform_pipelines.store.runs import new_token

    project.pipeline(name)  # a misspelt name is answered before the question
    what = f"partition {partition} of `{name}`" if partition else f"the whole pipeline `{name}`"
    option = f" --partition {partition}" if partition else ""
    question = f"Forget the watermark of {what}, so that the next run reads it anew and replaces what was loaded?"
    confirm(question, yes=yes, command=f"pipelines state {name} --reset{option}")
    feeds = reset(project, name, partition, token=new_token())
    keys = ", ".join(feed.key for feed in feeds[:5]) + (", …" if len(feeds) > 5 else "")  # noqa: PLR2004
    note(f"Reset {count(len(feeds), 'feed')}: {keys}. Next: `pipelines run {name}{option}`.")


def _show(name: str, body: dict[str, Any]) -> None:
    from platform_pipelines.cli.tables import table

    destinations = list(body["destinations"])
    headers = ("PARTITION", "WATERMARK", "EPOCH", "BATCHES", "LANDED AT", *(each.upper() for each in destinations))
    rows = [
        (
            feed["partition"] or "all",
            None if feed["watermark"] is None else str(feed["watermark"]),
            feed["epoch"],
            feed["batches"],
            (feed["landed_at"] or "")[:19],
            *(_offset(feed["destinations"].get(each, {})) for each in destinations),
        )
        for feed in body["feeds"]
    ]
    write(table(headers, rows))
    for feed in body["feeds"]:
        if feed["held"]:
            option = f" --partition {feed['partition']}" if feed["partition"] else ""
            note(
                f"Held: {feed['held']} Let it through with `pipelines run {name}{option} --release`, "
                f"or drop it with `--discard`."
            )


def _offset(destination: dict[str, Any]) -> str:
    if destination.get("error"):
        return f"unknown: {destination['error']}"
    if destination.get("epoch") is None:
        loaded = "nothing loaded"
    else:
        loaded = f"{destination['epoch']}/{destination['sequence']}"
    behind = destination.get("behind")
    return f"{loaded}, {behind} behind" if behind else loaded
