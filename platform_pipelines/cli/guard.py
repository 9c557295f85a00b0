"""From whatever ends a command to one message and one exit code.

Everything that can go wrong passes here once, so that no command prints a
traceback and with ``--json`` there is always one JSON value on stdout.
"""

from __future__ import annotations

import atexit
import gc
import os
import select
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from platform_pipelines.cli.interrupt import INTERRUPTED, INTERRUPTED_CODE, RunInterrupted, interruptible
from platform_pipelines.cli.output import note, write_json
from platform_pipelines.errors import PipelinesError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: what a shell reports for a program that wrote into a closed pipe: 128 + SIGPIPE
CLOSED_PIPE_CODE = 141
_USAGE_CODE = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """What is said and which code is returned; ``usage`` is printed above the message."""

    text: str
    code: int
    usage: str = ""


def guarded(work: Callable[[], None], arguments: Sequence[str]) -> int:
    """Do ``work``, explain what ended it, and return the exit code.

    Args:
        work: the command.
        arguments: its command line, asked for ``--json`` even where it could not be parsed.
    """
    _never_fail_on_encoding()
    try:
        with interruptible():
            work()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place that can say it in one line
        return _report(error, arguments)
    return 0


def leave(code: int) -> None:
    """End the process with ``code``, quietly if nobody reads stdout any more."""
    if code == CLOSED_PIPE_CODE and sys.stdout is not None:
        # the interpreter flushes stdout once more on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code == INTERRUPTED_CODE:
        # loader threads may still be busy; every commit is atomic, so none is waited for
        os._exit(code)
    if _nobody_goes_on():
        _end(code)
    gc.freeze()  # looking for cycles in all that was imported takes as long as a small run's work
    sys.exit(code)


def _nobody_goes_on() -> bool:
    """Whether the process ends with the command: nobody has put its output elsewhere, or looks into it."""
    return (
        os.environ.get("PIPELINES_DEBUG") != "1"
        and sys.stdout is sys.__stdout__
        and sys.stderr is sys.__stderr__
        and sys.getprofile() is None
    )


def _end(code: int) -> None:
    """End the process without taking the interpreter apart, which takes a twentieth of a small run; see decision 0018.

    What is registered for the end is done. Returns where the output cannot be written: the interpreter says so.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to run them and nothing else
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return
    os._exit(code)


def _report(error: BaseException, arguments: Sequence[str]) -> int:
    try:
        if isinstance(error, BrokenPipeError) and _stdout_is_gone():
            return CLOSED_PIPE_CODE
        problem = explain(error)
        if os.environ.get("PIPELINES_DEBUG") == "1":
            note("".join(traceback.format_exception(error)).rstrip())
        note(f"{problem.usage}{problem.text}")
        if "--json" in arguments:
            token = error.token if isinstance(error, RunInterrupted) else None
            write_json(_failure(arguments, problem, token))
    except BrokenPipeError:
        return CLOSED_PIPE_CODE
    return problem.code


def explain(error: BaseException) -> Problem:
    """The message and the exit code of an error."""
    if isinstance(error, PipelinesError):
        return Problem(str(error), error.exit_code)
    if isinstance(error, click.UsageError):
        text = error.format_message()
        if error.ctx is None or text.startswith("Usage:"):  # a group without a command: the help is the message
            return Problem(text, _USAGE_CODE)
        usage = f"{error.ctx.get_usage()}\nTry `{error.ctx.command_path} --help`.\n\n"
        return Problem(text, _USAGE_CODE, usage)
    if isinstance(error, click.ClickException):
        return Problem(error.format_message(), error.exit_code)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Problem(INTERRUPTED, INTERRUPTED_CODE)
    return Problem(_unforeseen(error), 1)


def _unforeseen(error: BaseException) -> str:
    if isinstance(error, Exception) and type(error).__name__ == "OutOfMemoryException":
        # DuckDB's, which is imported for no other error
        from platform_pipelines.engine.faults import of_the_system

        if ours := of_the_system(error, "The command"):
            return str(ours)
    text = " ".join(str(error).split())
    advice = "" if os.environ.get("PIPELINES_DEBUG") == "1" else " Set PIPELINES_DEBUG=1 to see the traceback."
    return f"{type(error).__name__}{': ' if text else ''}{text}{_dot(text)}{advice}"


def _dot(text: str) -> str:
    return "" if text.endswith((".", "!", "?")) else "."


def _failure(arguments: Sequence[str], problem: Problem, token: str | None) -> dict[str, object]:
    """What ``--json`` prints for a command that failed; for ``run``, all keys of its report."""
    failure: dict[str, object] = {"status": "failed", "error": problem.text}
    if arguments[0] != "run":
        return failure
    from platform_pipelines.engine import RunReport

    report = RunReport(pipeline=_pipeline(arguments[1:]), status="failed", token="", error=problem.text)
    return report.to_json() | {"token": token}


def _pipeline(words: Sequence[str]) -> str:
    """What ``run`` was given as NAME: the first word that is neither an option nor the value of one."""
    from platform_pipelines.cli.run import command

    options = [option for option in command.params if isinstance(option, click.Option) and not option.is_flag]
    valued = {name for option in options for name in option.opts}
    values = {place + 1 for place, word in enumerate(words) if word in valued}
    names = (word for place, word in enumerate(words) if place not in values and not word.startswith("-"))
    return next(names, "")


def _stdout_is_gone() -> bool:
    """Whether the reader of stdout has closed it: not every broken pipe is ours."""
    poll = select.poll()
    poll.register(1, 0)
    return any(state & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, state in poll.poll(0))


def _never_fail_on_encoding() -> None:
    """Show characters that the terminal cannot write as escapes, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
