"""`pipelines check`: everything that is wrong in the YAML, all at once; with --connect, in the systems too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import json_option
from platform_pipelines.cli.output import count, note, write, write_json
from platform_pipelines.cli.project import check_project, defs_folder
from platform_pipelines.errors import ConnectError, PipelinesError, SpecError, SpecErrors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@click.command("check", short_help="Check the YAML; with --connect, the systems too.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--connect", is_flag=True, help="Also reach the systems: streams and columns must exist.")
@json_option
def command(names: tuple[str, ...], *, connect: bool, as_json: bool) -> None:
    """Check the YAML of all pipelines, or of those named, and report every error as FILE:LINE: MESSAGE.

    SQL is parsed and the Python that is named is imported; without --connect no system is reached.
    """
    checked: dict[str, list[str]] = {"pipelines": [], "connectors": []}
    try:
        errors = _errors(names, checked, connect=connect)
    except SpecErrors as found:
        errors = list(found.errors)
        from platform_pipelines.cli.declared import saved_warnings

        warnings = saved_warnings(defs_folder())
        if connect or warnings:
            checked["warnings"] = warnings
    for line in [*map(str, errors), *(f"Warning: {text}" for text in checked.get("warnings", ()))]:
        note(line)
    if as_json:
        write_json(_body(checked, errors))
    elif errors:
        note(f"{count(len(errors), 'error')}.")
    else:
        pipelines = count(len(checked["pipelines"]), "pipeline")
        write(f"All is well: {pipelines}, {count(len(checked['connectors']), 'connector')}.")
    if errors:
        raise click.exceptions.Exit(_code(errors))


def _errors(names: Sequence[str], checked: dict[str, list[str]], *, connect: bool) -> list[PipelinesError]:
    from platform_pipelines.cli.declared import connectors_of, offline_errors, offline_warnings
    from platform_pipelines.cli.reach import connect_errors, connect_warnings

    project = check_project(names)
    specs = [project.pipeline(name) for name in names or project.catalog.pipelines]
    used = dict.fromkeys(name for spec in specs for name in connectors_of(spec))
    checked["pipelines"] = [spec.name for spec in specs]
    checked["connectors"] = list(used if names else dict.fromkeys([*project.catalog.connectors, *used]))
    warnings = offline_warnings(project, specs)
    declared = offline_errors(project, specs)
    errors: list[PipelinesError] = [*declared]
    if connect:
        errors += connect_errors(project, specs, {error.file for error in declared})
        warnings += [] if errors else connect_warnings(project, specs)
    if warnings or connect:
        checked["warnings"] = warnings
    return _once(errors)


def _once(errors: Iterable[PipelinesError]) -> list[PipelinesError]:
    """Every error once: that a connection is declared wrongly is found again where it is opened."""
    return list({str(error): error for error in errors}.values())


def _body(checked: dict[str, list[str]], errors: Sequence[PipelinesError]) -> dict[str, Any]:
    return {
        "status": "failed" if errors else "success",
        **checked,
        "errors": [
            {
                "file": getattr(error, "file", None),
                "line": getattr(error, "line", None),
                "message": error.message if isinstance(error, SpecError) else str(error),
            }
            for error in errors
        ],
        "error": "\n".join(str(error) for error in errors) or None,
    }


def _code(errors: Sequence[PipelinesError]) -> int:
    """Bad YAML first: it explains why the rest fails."""
    if any(isinstance(error, SpecError) for error in errors):
        return SpecError.exit_code
    return ConnectError.exit_code if any(isinstance(error, ConnectError) for error in errors) else errors[0].exit_code
