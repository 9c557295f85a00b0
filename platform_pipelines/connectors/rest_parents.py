"""Streams that other streams feed: for each record of the parent, a sequence of pages of its own.

Fetching is left to ``rest_fetch``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.rest_ahead import in_order
from platform_pipelines.connectors.rest_fetch import Asking, Fetched, Sequence
from platform_pipelines.connectors.rest_models import PLACEHOLDER
from platform_pipelines.connectors.rest_records import Exploded
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.json_columns import JSON, KIND
from platform_pipelines.formats.json_page import JsonPage
from platform_pipelines.model import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from platform_pipelines.connectors.rest_models import RestStream

#: values of a parent's fields, as text by field
Values = dict[str, str]
#: what a part of a path cannot be: the request would go to another place
_NO_PART = frozenset({"", ".", ".."})


def fetch(streams: Mapping[str, RestStream], asking: Asking, concurrency: int) -> Iterator[Fetched]:
    """The pages of a stream; of one with a parent, those of all records of the parent, in their order.

    Args:
        streams: the stream's parents, and theirs.
        asking: whom to ask for what; parents are read whole.
        concurrency: requests at once at most.

    Raises:
        InvalidData: a parent's record lacks a field that is needed; see also ``Sequence.pages``.
    """
    spec, name = asking.spec, asking.name
    if spec.parent is None:
        yield from Sequence(asking, concurrency=concurrency).pages()
        return
    wanted = {match["field"] for match in spec.placeholders()} | set(spec.columns_from_parent().values())
    above = replace(asking, name=spec.parent, spec=streams[spec.parent], window=Window(), exploded=Exploded())
    in_path = {match["field"] for match in PLACEHOLDER.finditer(spec.path)}
    parents = _values(
        fetch(streams, above, 1), spec.parent, name, {field: field in in_path for field in sorted(wanted)}
    )

    def sequence(values: Values) -> Iterator[Fetched]:
        for fetched in Sequence(asking, values).pages():
            yield Fetched(_with_parent(fetched.page, spec, values), fetched.shown, fetched.began)

    if concurrency == 1:
        for values in parents:
            yield from sequence(values)
        return
    for pages in in_order(lambda values: list(sequence(values)), parents, concurrency):
        yield from pages


def _values(pages: Iterator[Fetched], parent: str, child: str, wanted: Mapping[str, bool]) -> Iterator[Values]:
    """The fields that are needed of each of the parent's records, each combination once.

    Args:
        pages: of the parent.
        parent: its stream.
        child: the stream that needs the fields.
        wanted: the fields, and whether each stands in the child's path.

    Raises:
        InvalidData: a record lacks one of them, or has a value that cannot be part of a path.
    """
    met = set()
    for fetched in pages:
        batch = fetched.page.batch
        columns = [_column(batch, field) for field in wanted]
        for row in range(batch.num_rows):
            values = tuple(column[row] for column in columns)
            for (field, in_path), value in zip(wanted.items(), values, strict=True):
                if value is None or (in_path and value in _NO_PART):
                    has = f"has no `{field}`" if value is None else f"has {value!r} as `{field}`"
                    needs = f"which `{child}` needs (`{{{parent}.{field}}}`)"
                    fields = ", ".join(batch.schema.names)
                    msg = f"{fetched.shown}: a record of `{parent}` {has}, {needs}. Fields: {fields}."
                    raise InvalidData(msg)
            if values not in met:
                met.add(values)
                yield dict(zip(wanted, map(str, values), strict=True))


def _column(batch: pa.RecordBatch, path: str) -> list[str | None]:
    """The values under a dotted path, as text."""
    name, *keys = path.split(".")
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    described = batch.schema.field(name)
    values = batch.column(name).to_pylist()
    if keys and (described.metadata or {}).get(KIND) == JSON[KIND]:
        values = [None if value is None else json.loads(value) for value in values]
    for key in keys:
        values = [value.get(key) if isinstance(value, dict) else None for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_parent(page: JsonPage, spec: RestStream, values: Values) -> JsonPage:
    """The page with the parent's fields as columns.

    Raises:
        InvalidData: the records have a field of that name.
    """
    import pyarrow as pa

    batch = page.batch
    columns = spec.columns_from_parent()
    for column, field in columns.items() if batch.num_rows else ():
        if column in batch.schema.names:
            msg = (
                f"Field {column!r} of the records has the name of the column for `{spec.parent}.{field}`. "
                f"Give that another one: `include: {{NAME: {spec.parent}.{field}}}`."
            )
            raise InvalidData(msg)
        texts = pa.array([values[field]] * batch.num_rows, pa.string())
        batch = batch.append_column(column, texts)
    return JsonPage(page.envelope, batch, page.count, page.rejected)
