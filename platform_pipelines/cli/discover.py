"""`pipelines discover`: the streams a connector offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import json_option
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import StreamInfo


@click.command("discover", short_help="Show the streams a connector offers.")
@click.argument("connector", metavar="CONNECTOR")
@click.argument("stream", metavar="[STREAM]", required=False)
@json_option
def command(connector: str, stream: str | None, *, as_json: bool) -> None:
    """Show the streams of CONNECTOR with columns, types, key and rows."""
    found = [entry(info) for info in streams(load_project(), connector)]
    if stream is not None:
        found = [_one(found, connector, stream)]
    if as_json:
        write_json(found)
    elif not found:
        note(f"Connector `{connector}` offers no streams.")
    elif stream is not None:
        write(_columns(found[0]))
    else:
        write(_table(found))
        note(f"Columns of one stream: `pipelines discover {connector} STREAM`.")


def streams(project: Project, name: str) -> list[StreamInfo]:
    """The streams of a saved connector.

    Raises:
        UsageError: no such connector, or it cannot be read.
        ConnectError: it cannot be reached.
    """
    from platform_pipelines.connectors.base import Source
    from platform_pipelines.connectors.registry import open_connector
    from platform_pipelines.spec.nearest import allowed

    spec = project.catalog.connectors.get(name)
    if spec is None:
        msg = f"Unknown connector `{name}` in {project.catalog.defs}. {allowed(name, project.catalog.connectors)}"
        raise UsageError(msg)
    connector = open_connector(spec, project.root)
    if not isinstance(connector, Source):
        msg = f"Connector `{name}` (type {spec.type}) is a destination only: it has no streams to read."
        raise UsageError(msg)
    connector.check()
    return connector.streams()


def entry(info: StreamInfo) -> dict[str, Any]:
    """One stream, as ``discover --json`` prints it."""
    columns = [{"name": field.name, "type": str(field.type)} for field in info.schema] if info.schema else None
    return {"name": info.name, "columns": columns, "key": list(info.key), "rows": info.rows}


def _one(found: list[dict[str, Any]], connector: str, stream: str) -> dict[str, Any]:
    from platform_pipelines.spec.nearest import allowed

    for each in found:
        if each["name"] == stream:
            return each
    msg = f"Unknown stream `{stream}` of connector `{connector}`. {allowed(stream, [each['name'] for each in found])}"
    raise UsageError(msg)


def _table(found: list[dict[str, Any]]) -> str:
    from platform_pipelines.cli.tables import table

    rows = [
        (
            each["name"],
            ", ".join(column["name"] for column in each["columns"] or []),
            ", ".join(each["key"]),
            each["rows"],
        )
        for each in found
    ]
    return table(("STREAM", "COLUMNS", "KEY", "ROWS"), rows)


def _columns(stream: dict[str, Any]) -> str:
    from platform_pipelines.cli.tables import table

    rows = [
        (column["name"], column["type"], "key" if column["name"] in stream["key"] else "")
        for column in stream["columns"] or []
    ]
    return table(("COLUMN", "TYPE", ""), rows, title=stream["name"])
