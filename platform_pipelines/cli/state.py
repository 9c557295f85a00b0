"""`pipelines state`: how far a pipeline has come, how it came there, and what became of one row; reset and rewind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import confirm, json_option, partition_option, pipeline_argument, yes_option
from platform_pipelines.cli.output import count, note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError
from platform_pipelines.model import Feed

if TYPE_CHECKING:
    from platform_pipelines.engine import Project, StateReport

#: partitions in the table at most; a person looks at the newest
SHOWN = 200


@click.command("state", short_help="Show watermark, batches, offsets, history; reset, rewind, explain a row.")
@pipeline_argument
@click.option("--history", is_flag=True, help="Show every batch that landed, with the watermark it left.")
@click.option("--explain", "key", metavar="KEY", help="Say what became of one row: `a=1,b=2`, or values of the key.")
@click.option("--reset", is_flag=True, help="Begin anew: the next run reads everything and replaces what was loaded.")
@click.option("--rewind", "to", metavar="TO", help="Take the watermark back to a batch (EPOCH/SEQUENCE) or a value.")
@partition_option
@yes_option
@json_option
def command(name: str, partition: str | None, *, yes: bool, as_json: bool, **chosen: Any) -> None:  # noqa: ANN401 - the options above
    """Show how far NAME and each of its destinations have come.

    --reset and --rewind queue behind a run that reads the feed; Ctrl-C gives up, and nothing was done.
    """
    tool = _tool(chosen)
    if partition is not None and tool is None:
        msg = "`--partition` goes with `--reset`, `--rewind`, `--history` and `--explain`; else all are shown."
        raise UsageError(msg)
    project = load_project(name)
    if tool in {"history", "key"}:
        _look(project, name, partition, chosen, as_json=as_json)
        return
    if tool == "reset":
        _reset(project, name, partition, yes=yes)
    elif tool == "to":
        _rewind(project, name, chosen["to"], partition, yes=yes)
    _state(project, name, as_json=as_json)


def _tool(chosen: dict[str, Any]) -> str | None:
    """The one tool that was asked for.

    Raises:
        UsageError: several were.
    """
    given = [name for name, value in chosen.items() if value not in (None, False)]
    if len(given) > 1:
        msg = "Give one of `--reset`, `--rewind`, `--history` and `--explain`."
        raise UsageError(msg)
    return given[0] if given else None


def _look(project: Project, name: str, partition: str | None, chosen: dict[str, Any], *, as_json: bool) -> None:
    if chosen["history"]:
        from platform_pipelines.cli.state_history import show_history

        show_history(project, name, partition, as_json=as_json)
    else:
        from platform_pipelines.cli.state_explain import show_explanation

        show_explanation(project, name, chosen["key"], partition, as_json=as_json)


def _state(project: Project, name: str, *, as_json: bool) -> None:
    from platform_pipelines.engine import state

    found = state(project, name, None if as_json else SHOWN)
    body = found.to_json()
    if as_json:
        write_json(body)
    elif not body["feeds"]:
        write(f"Nothing has landed yet. Run it: `pipelines run {name}`.")
    else:
        _show(found, body)
    if found.others:
        note(f"{count(found.others, 'earlier partition')} not shown; `--json` has all.")


def _reset(project: Project, name: str, partition: str | None, *, yes: bool) -> None:
    from platform_pipelines.engine import new_token, reset

    project.pipeline(name)  # a misspelt name is answered before the question
    what = f"partition {partition} of `{name}`" if partition is not None else f"the whole pipeline `{name}`"
    option = Feed(name, partition).option
    question = f"Forget the watermark of {what}, so that the next run reads it anew and replaces what was loaded?"
    confirm(question, yes=yes, command=f"pipelines state {name} --reset{option}")
    feeds = reset(project, name, partition, token=new_token(), waiting=_waiting)
    keys = ", ".join(feed.key for feed in feeds[:5]) + (", …" if len(feeds) > 5 else "")  # noqa: PLR2004
    note(f"Reset {count(len(feeds), 'feed')}: {keys}. Next: `pipelines run {name}{option}`.")


def _rewind(project: Project, name: str, to: str, partition: str | None, *, yes: bool) -> None:
    from platform_pipelines.engine import new_token, plan_rewind, rewind

    planned = plan_rewind(project, name, to, partition)
    option = Feed(name, partition).option
    now, then = planned.before.plain(), "the beginning" if planned.after is None else str(planned.after.plain())
    where = f" (as after batch {planned.batch.epoch}/{planned.batch.sequence})" if planned.batch else ""
    if not planned.moved:
        note(f"The watermark of {planned.feed.id} is {now} already; nothing was done.")
        return
    question = f"Take the watermark of {planned.feed.id} back from {now} to {then}{where} and read again from there?"
    confirm(question, yes=yes, command=f"pipelines state {name} --rewind {to}{option}")
    done = rewind(project, name, to, partition, token=new_token(), waiting=_waiting)
    note(f"Rewound {done.feed.id} from {done.before.plain()} to {then}. Next: `pipelines run {name}{option}`.")


def _waiting(who: str) -> None:
    note(f"{who} Queued behind it; Ctrl-C gives up, and nothing is done.")


def _show(found: StateReport, body: dict[str, Any]) -> None:
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
    for each in found.feeds:
        if each.held:
            decide = f"`pipelines run {found.pipeline}{each.feed.option} --release`, or drop it with `--discard`."
            note(f"Held: {each.told}" + ("" if each.lost else f" Let it through with {decide}"))


def _offset(destination: dict[str, Any]) -> str:
    if destination.get("error"):
        return f"unknown: {destination['error']}"
    if destination.get("epoch") is None:
        loaded = "nothing loaded"
    else:
        loaded = f"{destination['epoch']}/{destination['sequence']}"
    behind = destination.get("behind")
    return f"{loaded}, {behind} behind" if behind else loaded
