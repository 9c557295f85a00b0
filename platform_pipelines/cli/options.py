"""Options that several commands share, and the question before something is thrown away."""

from __future__ import annotations

import sys

import click

from platform_pipelines.errors import UsageError


class Count(click.IntRange):
    """A whole number from 1 to what 32 bits hold: libraries that count rows take no more."""

    _MOST = 2**31 - 1

    def __init__(self) -> None:
        super().__init__(min=1, max=self._MOST)

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number that was typed; what is none, or out of reach, is a usage error."""
        try:
            number = int(value)
        except ValueError:
            number = 0
        if not 1 <= number <= self._MOST:
            self.fail(f"{value!r} is not allowed. Write a whole number from 1 to {self._MOST}.", param, ctx)
        return number


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
