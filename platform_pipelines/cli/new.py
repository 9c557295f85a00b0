"""`pipelines new`: a commented starter for a pipeline, checked before anyone sees it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from platform_pipelines.cli import starter
from platform_pipelines.cli.output import note, write
from platform_pipelines.cli.project import defs_folder, load_project
from platform_pipelines.errors import PipelinesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from platform_pipelines.spec import Catalog


@click.command("new", short_help="Write a commented starter for a pipeline.")
@click.argument("name", metavar="NAME")
@click.option("--connector", metavar="NAME", help="Connector to read from (default: the first that can be read).")
@click.option("--stream", metavar="STREAM", help="Table, endpoint or glob to read (default: the name, as a CSV file).")
@click.option("--destination", metavar="NAME", help="Connector to load into (default: the last that can be loaded).")
@click.option("--domain", metavar="DOMAIN", help="Asset group, and folder of the file.")
def command(name: str, connector: str | None, stream: str | None, destination: str | None, domain: str | None) -> None:
    """Write a commented starter for pipeline NAME into the folder of pipelines."""
    _check(name, domain, stream)
    folder = defs_folder()
    path = folder / (domain or "") / f"{name}.yaml"
    with _writing(folder):
        catalog = _catalog(folder)
        _check_free(name, path, catalog)
        types = {key: spec.type for key, spec in catalog.connectors.items()}
        source = _choose(types, connector, "source")
        target = _choose(types, destination, "destination")
        text = starter.pipeline(
            name=name,
            domain=domain,
            source=source,
            stream=stream or starter.stream(name, types[source]),
            target=target,
            mode=starter.mode(types[target]),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _validate(path)
    write(str(path))
    note(starter.next_steps(name, path, source))


def _check(name: str, domain: str | None, stream: str | None) -> None:
    from platform_pipelines.spec.names import group_name, pipeline_name

    option = "NAME"
    try:
        pipeline_name(name)
        option = "--domain"
        group_name(domain if domain is not None else "default")
    except ValueError as error:
        msg = f"`{option}`: {error}"
        raise UsageError(msg) from error
    if stream is not None and not stream.strip():
        msg = "`--stream` is empty. Name a table, an endpoint or a glob, or leave it out."
        raise UsageError(msg)


def _catalog(folder: Path) -> Catalog:
    """What is declared already; a first ``connectors.yaml`` is written if there is none, in the folder or above."""
    from platform_pipelines.spec.place import place_of

    folder.mkdir(parents=True, exist_ok=True)
    if place_of(folder).found is None:
        connectors = folder / "connectors.yaml"
        connectors.write_text(starter.CONNECTORS, encoding="utf-8")
        note(f"Wrote {connectors}: look it over, it names where files are read and where rows go.")
    return load_project().catalog


def _check_free(name: str, path: Path, catalog: Catalog) -> None:
    taken = catalog.pipelines[name].file if name in catalog.pipelines else str(path) if path.exists() else None
    if taken is not None:
        msg = f"Pipeline `{name}` exists already in {taken}; nothing was written. Choose another name, or edit it."
        raise UsageError(msg)


def _choose(types: Mapping[str, str], given: str | None, role: str) -> str:
    from platform_pipelines.connectors.registry import capabilities
    from platform_pipelines.spec.nearest import allowed

    able = [name for name, kind in types.items() if getattr(capabilities(kind), role)]
    if given is not None and given in able:
        return given
    if given is not None or not able:
        what = f"Connector `{given}` cannot be the {role}" if given is not None else f"No connector can be the {role}"
        msg = f"{what}. {allowed(given or '', able)} Connectors are declared in connectors.yaml."
        raise UsageError(msg)
    return able[0] if role == "source" else able[-1]


def _validate(path: Path) -> None:
    """Load what was written; take it back if it is refused."""
    try:
        load_project()
    except PipelinesError:
        path.unlink()
        with contextlib.suppress(OSError):  # the folder holds something else
            path.parent.rmdir()
        raise


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the operating system refuses into what a person can do."""
    try:
        yield
    except OSError as error:
        msg = (
            f"Cannot write {error.filename or folder}: {error.strerror}. "
            "Set PIPELINES_DEFS to a folder that can be written."
        )
        raise UsageError(msg) from error
