"""Entry point of the command line: finds the command, imports only that one, exits with its code."""

from __future__ import annotations

import difflib
import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from platform_pipelines.cli.guard import guarded, leave
from platform_pipelines.cli.lean import process_is_ours

if TYPE_CHECKING:
    from collections.abc import Sequence

#: every command, in the order of its use, and the module that holds it as ``command``
COMMANDS = {
    "list": "list",
    "check": "check",
    "discover": "discover",
    "new": "new",
    "plan": "plan",
    "preview": "preview",
    "run": "run",
    "approve": "approve",
    "state": "state",
    "dead-letters": "dead_letters",
    "status": "status",
    "schema": "schema",
}

#: objects made until cycles among them are looked for: more than imports make, which are there to stay
_OBJECTS = 200_000

EPILOG = """\b
Environment:
  PIPELINES_DEFS    folder of connectors.yaml and pipelines
  PIPELINES_STORE   where batches land (default .pipelines/store)
  PIPELINES_DEBUG   1 shows the traceback of an error
  NO_COLOR          plain text on a terminal

\b
Exit codes:
  0 done (also nothing new)   1 run failed   2 bad usage or bad YAML
  3 gate closed               4 cannot connect"""


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"platform_pipelines.cli.{COMMANDS[cmd_name]}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name is answered with the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            msg = f"Unknown command `{args[0]}`. Allowed: {', '.join(COMMANDS)}.{hint}"
            raise click.UsageError(msg, ctx=ctx)
        return super().resolve_command(ctx, args)


@click.command(
    "pipelines",
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="platform-pipelines", message="%(prog)s %(version)s")
def pipelines() -> None:
    """Run, look at and check the pipelines of this project."""


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""

    def work() -> None:
        with pipelines.make_context("pipelines", list(arguments)) as ctx:
            pipelines.invoke(ctx)

    return guarded(work, arguments)


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(_OBJECTS)
    process_is_ours()
    leave(execute(sys.argv[1:]))
