"""Options that several commands share, and the question before something is thrown away."""

from __future__ import annotations

import sys

import click

from platform_pipelines.errors import UsageError

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout, for machines.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
partition_option = click.option("--partition", metavar="KEY", help="One partition, by its key.")
pipeline_argument = click.argument("name", metavar="NAME")


def confirm(question: str, *, yes: bool, command: str) -> None:
    """Ask before something that cannot be taken back.

    Args:
        question: what will happen, as a question.
        yes: whether ``--yes`` was given.
        command: what to write to do it without a question.

    Raises:
        UsageError: nobody is there to answer.
        Declined: the answer is no.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        msg = f"{question} Nobody can answer here, so nothing was done. If you mean it: `{command} --yes`."
        raise UsageError(msg)
    if not click.confirm(question, err=True):
        raise Declined


class Declined(click.ClickException):
    """The answer to a question was no."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("Nothing was done.")
