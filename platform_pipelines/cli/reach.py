"""What can be found wrong only by reaching the systems: connections, streams, columns. Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.cli.declared import connectors_of
from platform_pipelines.errors import DataError, PipelinesError, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from platform_pipelines.connectors.base import Source
    from platform_pipelines.engine import Context, Project
    from platform_pipelines.spec import PipelineSpec


def connect_errors(
    project: Project, specs: Sequence[PipelineSpec], faulty: Collection[str | None] = ()
) -> list[PipelinesError]:
    """Connections that fail, streams and columns that do not exist.

    Args:
        project: the project.
        specs: the pipelines.
        faulty: files in which something is wrong that was told; no record is sent through the transforms of these.
    """
    from platform_pipelines.engine import Context

    errors: list[PipelinesError] = []
    checked: dict[int, bool] = {}
    for spec in specs:
        context = Context(project=project, pipeline=spec, token="")
        answers = [_reachable(context, name, checked, errors) for name in connectors_of(spec)]
        if all(answers):
            errors += _pipeline_errors(context, sound=spec.file not in faulty)
    return errors


def connect_warnings(project: Project, specs: Sequence[PipelineSpec]) -> list[str]:
    """What may go wrong later although the systems answer: rows that commit late and that no `lag` covers."""
    from platform_pipelines.connectors.base import Sighted
    from platform_pipelines.engine import Context

    found = []
    for spec in specs:
        cursor, source = spec.source.cursor, Context(project=project, pipeline=spec, token="").source
        if spec.source.mode == "incremental" and cursor and not cursor.lag and isinstance(source, Sighted):
            where = f"Pipeline `{spec.name}`, source `{spec.source.connector}`"
            found += [f"{where}: {spot}" for spot in source.blind_spots()]
    return found


def _reachable(context: Context, name: str, checked: dict[int, bool], errors: list[PipelinesError]) -> bool:
    """Whether a connector answers; each is asked once, however many pipelines use it."""
    declared = context.project.catalog.connector(context.pipeline, name)
    if id(declared) not in checked:
        try:
            context.connector(name).check()
        except PipelinesError as error:
            checked[id(declared)] = False
            errors.append(error)
        else:
            checked[id(declared)] = True
    return checked[id(declared)]


def _pipeline_errors(context: Context, *, sound: bool) -> Iterator[PipelinesError]:
    spec = context.pipeline
    try:
        missing = list(_missing(spec, _source_columns(context), _read_fields(spec)))
        yield from missing
        if missing or not sound:  # what is told would end the preview too
            return
        keys = {key: f"the key of destination `{each.name}`" for each in spec.destinations for key in each.key}
        yield from _missing(spec, _loaded_columns(context), keys)
    except DataError as error:
        yield SpecError(f"Pipeline `{spec.name}`: {error}", file=spec.file, line=spec.line)
    except PipelinesError as error:
        yield error


def _read_fields(spec: PipelineSpec) -> dict[str, str]:
    """Columns the source must have, and what for."""
    wanted = {}
    if spec.source.cursor is not None:
        wanted[spec.source.cursor.field] = "the cursor"
    if spec.partitions is not None:
        wanted[spec.partitions.field] = "the partition field"
    if spec.source.deletes is not None and spec.source.deletes.field is not None:
        wanted[spec.source.deletes.field] = "the field of deletes"
    return wanted


def _source_columns(context: Context) -> list[str]:
    from platform_pipelines.model import Stream, Window

    stream = Stream(context.pipeline.source.stream, context.pipeline.source.options, limit=1)
    pages = _source(context).read(stream, Window(), None)
    return next((batch.schema.names for page in pages for batch in page.batches), [])


def _source(context: Context) -> Source:
    from platform_pipelines.connectors.base import Source

    found = context.source
    if isinstance(found, Source):
        return found
    spec = context.pipeline
    msg = f"Connector `{spec.source.connector}` cannot be read: it is a destination only."
    raise SpecError(msg, file=spec.file, line=spec.line)


def _loaded_columns(context: Context) -> list[str]:
    """The columns that transforms leave, found by sending one record through them."""
    from platform_pipelines.engine.context import utc_now
    from platform_pipelines.engine.previewing import preview_rows

    feeds = context.pipeline.feeds(utc_now())
    schema = preview_rows(context, feeds[-1], 1).schema if feeds else None
    return list(schema.names) if schema is not None else []


def _missing(spec: PipelineSpec, columns: list[str], wanted: dict[str, str]) -> Iterator[SpecError]:
    from platform_pipelines.spec.nearest import allowed

    for name, purpose in wanted.items():
        if columns and name not in columns:
            msg = f"Pipeline `{spec.name}` names `{name}` as {purpose}, which is no column. {allowed(name, columns)}"
            yield SpecError(msg, file=spec.file, line=spec.line)
