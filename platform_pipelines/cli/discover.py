"""`pipelines discover`: the streams a connector offers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from platform_pipelines.cli.options import json_option
from platform_pipelines.cli.output import note, write, write_json
from platform_pipelines.cli.project import load_project
from platform_pipelines.errors import InvalidData, UsageError

if TYPE_CHECKING:
    from platform_pipelines.connectors.base import Source
    from platform_pipelines.engine import Project
    from platform_pipelines.model import StreamInfo


@click.command("discover", short_help="Show the streams a connector offers.")
@click.argument("connector", metavar="CONNECTOR")
@click.argument("stream", metavar="[STREAM]", required=False)
@json_option
def command(connector: str, stream: str | None, *, as_json: bool) -> None:
    """Show the streams of CONNECTOR with key and rows, or the columns of one STREAM with their types."""
    source = _open(load_project(), connector)
    infos = source.streams()
    if stream is not None:
        infos = [_described(source, connector, stream, infos)]
    found = [entry(info) for info in infos]
    if as_json:
        write_json(found)
    elif not found:
        note(f"Connector `{connector}` offers no streams.")
    elif stream is not None:
        write(_columns(found[0]))
    else:
        write(_table(found))
        note(f"Columns of one stream: `pipelines discover {connector} STREAM`.")


def _open(project: Project, name: str) -> Source:
    """The source of a saved connector, reached.

    Raises:
        UsageError: no such connector, or it cannot be read.
        ConnectError: it cannot be reached.
    """
    from platform_pipelines.connectors.base import Source
    from platform_pipelines.connectors.registry import open_connector
    from platform_pipelines.spec.nearest import allowed
    from platform_pipelines.spec.place import place_of

    spec = project.catalog.connectors.get(name)
    if spec is None:
        place = place_of(project.catalog.defs)
        listed = allowed(name, project.catalog.connectors, none=place.missing)
        msg = f"Unknown connector `{name}` in {place.file}. {listed} Add it there."
        raise UsageError(msg)
    connector = open_connector(spec, project.root, project.state)
    if not isinstance(connector, Source):
        msg = f"Connector `{name}` (type {spec.type}) is a destination only: it has no streams to read."
        raise UsageError(msg)
    connector.check()
    return connector


def _described(source: Source, connector: str, stream: str, infos: list[StreamInfo]) -> StreamInfo:
    """One stream with its schema, which is read from its first rows where the source does not keep one.

    Raises:
        UsageError: no such stream.
    """
    from platform_pipelines.model import Stream, StreamInfo, Window
    from platform_pipelines.spec.nearest import allowed

    info = next((each for each in infos if each.name == stream), StreamInfo(stream))
    if info.schema is not None:
        return info
    try:
        pages = source.read(Stream(stream, limit=1), Window(), None)
        schema = next((batch.schema for page in pages for batch in page.batches), None)
    except InvalidData as error:
        listed = allowed(stream, [each.name for each in infos])
        msg = f"Stream `{stream}` of connector `{connector}` cannot be read: {error} {listed}"
        raise UsageError(msg) from error
    return replace(info, schema=schema)


def entry(info: StreamInfo) -> dict[str, Any]:
    """One stream, as ``discover --json`` prints it."""
    columns = [{"name": field.name, "type": str(field.type)} for field in info.schema] if info.schema else None
    return {"name": info.name, "columns": columns, "key": list(info.key), "rows": info.rows}


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
