"""`pipelines run`: one run of a pipeline in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.ahead import go_ahead
from platform_pipelines.cli.finish import finish
from platform_pipelines.cli.interrupt import RunInterrupted
from platform_pipelines.cli.lean import without_unneeded
from platform_pipelines.cli.options import confirm, json_option, pipeline_argument, yes_option
from platform_pipelines.cli.progress import progress_bar
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine import RunRequest


@click.command("run", short_help="Run a pipeline: land, validate, load.")
@pipeline_argument
@click.option("--partition", "partitions", metavar="KEY", multiple=True, help="One partition; may be repeated.")
@click.option("--from", "begin", metavar="A", help="Begin of a range of partitions or of a cursor window, inclusive.")
@click.option("--to", "end", metavar="B", help="Its end, exclusive.")
@click.option("--full-refresh", is_flag=True, help="Read everything anew and replace what was loaded.")
@click.option("--only", metavar="STAGE", help="Only this stage: landing, validated or a destination's name.")
@click.option("--release", is_flag=True, help="Let the batch through that the gate holds.")
@click.option("--discard", is_flag=True, help="Drop the batch that the gate holds to the dead letters.")
@click.option(
    "--allow-destructive",
    is_flag=True,
    help="Columns of destinations may be dropped or narrowed, and any share of rows deleted that are gone.",
)
@yes_option
@json_option
def command(name: str, *, yes: bool, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Run NAME: land what is new, validate it, load it.

    Without --partition or --from/--to, a pipeline partitioned by time runs the partitions that
    never ran, the current one and its lookback; one partitioned by value runs all. On an
    unpartitioned incremental pipeline, --from/--to reads that window of the cursor again and
    merges it; the watermark does not move.
    """
    from platform_pipelines.engine import run

    _check(**given)
    project = load_project(name)
    pipeline = project.pipeline(name)  # a misspelt name is answered before any question
    _ask(name, yes=yes, **given)
    without_unneeded(project, pipeline)
    go_ahead(project, pipeline)
    with progress_bar(quiet=as_json) as listener:
        request = _request(name, listener, **given)
        try:
            report = run(project, request)
        except KeyboardInterrupt as error:
            raise RunInterrupted(request.token) from error
    finish(project, report, as_json=as_json)


def _request(name: str, listener: Any, **given: Any) -> RunRequest:  # noqa: ANN401 - the options above
    from platform_pipelines.engine import RunRequest

    return RunRequest(
        pipeline=name,
        partitions=given["partitions"] or None,
        window_from=given["begin"],
        window_to=given["end"],
        full_refresh=given["full_refresh"],
        only=given["only"],
        decision="release" if given["release"] else "discard" if given["discard"] else None,
        allow_destructive=given["allow_destructive"],
        progress=listener,
    )


def _check(**given: Any) -> None:  # noqa: ANN401 - the options above
    """Refuse options that contradict each other; what does not fit the pipeline, the engine refuses.

    Raises:
        UsageError: two options that cannot both be meant.
    """
    decision = "--release" if given["release"] else "--discard" if given["discard"] else None
    stage = given["only"]
    refused = (
        (given["release"] and given["discard"], "Give either `--release` or `--discard`, not both."),
        (
            decision and (given["full_refresh"] or given["begin"] is not None),
            f"`{decision}` decides on what has landed; it does not go with `--full-refresh` or `--from/--to`.",
        ),
        (
            decision and stage not in {None, "validated"},
            f"`{decision}` is a decision of the stage `validated`; it does not go with `--only {stage}`.",
        ),
        (
            given["full_refresh"] and stage not in {None, "landing"},
            f"`--full-refresh` is a matter of the stage `landing`; it does not go with `--only {stage}`.",
        ),
    )
    for wrong, message in refused:
        if wrong:
            raise UsageError(message)


def _ask(name: str, *, yes: bool, **given: Any) -> None:  # noqa: ANN401 - the options above
    """On a terminal, ask before rows or columns are dropped; scripts have said so by the option."""
    if sys.stdin is None or not sys.stdin.isatty():
        return
    if given["discard"]:
        question = f"Drop the held batch of `{name}` to the dead letters?"
        confirm(question, yes=yes, command=f"pipelines run {name} --discard")
    if given["allow_destructive"]:
        question = (
            f"Let this run drop or narrow columns at the destinations of `{name}` (see `pipelines plan {name}`), "
            "and delete all rows that are gone at the source?"
        )
        confirm(question, yes=yes, command=f"pipelines run {name} --allow-destructive")
