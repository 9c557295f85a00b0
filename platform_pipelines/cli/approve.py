"""`pipelines approve`: let a batch through that is held for its quality score."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from platform_pipelines.cli.options import json_option, partition_option, pipeline_argument
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.store.approvals import Request


@click.command("approve", short_help="Approve a batch that is held for its quality score.")
@pipeline_argument
@click.argument("token", metavar="[TOKEN]", required=False)
@partition_option
@click.option("--by", metavar="WHO", help="Who approves, for the record (default: the user of this process).")
@json_option
def command(name: str, token: str | None, partition: str | None, by: str | None, *, as_json: bool) -> None:
    """Approve what the run TOKEN of NAME holds for its quality score; without TOKEN, show what waits.

    The next run of NAME loads it; in Dagster the sensor of approvals starts that run.
    """
    from platform_pipelines.engine import approve, waiting

    if token is None and (partition is not None or by is not None):
        option = "--partition" if partition is not None else "--by"
        msg = f"`{option}` goes with a TOKEN. See what waits, and the tokens: `pipelines approve {name}`."
        raise UsageError(msg)
    if by is not None and not by.strip():
        msg = "`--by` is empty. Say who approves, or leave it out: then it is the user of this process."
        raise UsageError(msg)
    project = load_project(name)
    if token is None:
        _show(name, waiting(project, name), as_json=as_json)
        return
    approved = approve(project, name, token, by=by or _user(), partition=partition)
    if as_json:
        write_json([_body(request) for request in approved])
        return
    batches = ", ".join(f"{request.partition or 'all'} {request.epoch}/{request.sequence}" for request in approved)
    write(f"Approved of `{name}`: {batches}.")
    note(f"Next: `pipelines run {name}`; in Dagster the sensor `{name}_approvals` starts it.")


def _show(name: str, requests: list[Request], *, as_json: bool) -> None:
    from platform_pipelines.cli.tables import table

    if as_json:
        write_json([_body(request) for request in requests])
        return
    if not requests:
        write(f"No batch of `{name}` waits for approval.")
        return
    headers = ("TOKEN", "PARTITION", "BATCH", "SCORE", "MINIMUM", "DEADLINE", "THEN", "APPROVED BY")
    write(table(headers, [_line(request) for request in requests]))
    note(f"Approve one: `pipelines approve {name} TOKEN`.")


def _line(request: Request) -> tuple[object, ...]:
    body = _body(request)
    until = (request.deadline or "")[:19]
    return (
        body["token"], request.partition, body["batch"], round(request.score, 4), request.min_score, until,
        request.unanswered if until else None, body["approved_by"],
    )  # fmt: skip


def _body(request: Request) -> dict[str, object]:
    return {
        "token": request.tokens[0],
        "partition": request.partition,
        "batch": f"{request.epoch}/{request.sequence}",
        "score": request.score,
        "min_score": request.min_score,
        "asked_at": request.asked_at,
        "deadline": request.deadline,
        "on_deadline": request.unanswered if request.deadline else None,
        "approved_by": request.answer.by if request.answer else None,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
