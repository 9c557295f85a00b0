"""Reads the tables that joins and foreign keys refer to, through the saved connectors.

Within one run a small table is read once, whatever the number of partitions.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.base import Source
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.model import Stream, Window

#: bytes of a referenced table that are held for the rest of a run
REMEMBERED_BYTES = 16_000_000

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Page
    from platform_pipelines.relations import Lookup


def references(context: Context) -> Lookup:
    """A lookup that reads a table's columns as a stream."""

    def lookup(
        connector: str, table: str, columns: tuple[str, ...], options: Mapping[str, Any] | None = None
    ) -> pa.RecordBatchReader:
        source = context.connector(connector)
        if not isinstance(source, Source):
            msg = f"Connector `{connector}` cannot be read: it is a destination only. Refer to another connector."
            raise SpecError(msg, file=context.pipeline.file, line=context.pipeline.line)
        key = (connector, json.dumps([table, options or {}], sort_keys=True, default=str), columns)
        known = context.referenced.get(key)
        if known is not None:
            return known.to_reader()
        picked = {"columns": list(columns)} if columns and "columns" in source.source_options else {}
        reader = _reader(source, Stream(table, {**picked, **(options or {})}), connector, columns)
        return _remember(context, key, reader)

    return lookup


def _remember(
    context: Context, key: tuple[str, str, tuple[str, ...]], reader: pa.RecordBatchReader
) -> pa.RecordBatchReader:
    """Keep the rows for the rest of the run if they are few; else hand them on as they come."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        held.append(batch)
        size += batch.nbytes
        if size > REMEMBERED_BYTES:
            return pa.RecordBatchReader.from_batches(reader.schema, itertools.chain(held, reader))
    table = pa.Table.from_batches(held, reader.schema)
    context.referenced[key] = table
    return table.to_reader()


def _readable(page: Page, stream: Stream, connector: str) -> Sequence[pa.RecordBatch]:
    """The rows of a page; a record that cannot be read is no row, and rows would miss it without a word."""
    if page.rejected:
        msg = (
            f"Table `{stream.name}` of connector `{connector}` has records that cannot be read, such as: "
            f"{page.rejected[0].reason} Mend them there, or declare the types in the connector's `options`."
        )
        raise InvalidData(msg)
    return page.batches


def _reader(source: Source, stream: Stream, connector: str, columns: tuple[str, ...]) -> pa.RecordBatchReader:
    import pyarrow as pa

    pages = iter(source.read(stream, Window(), None))
    batches = (batch for page in pages for batch in _readable(page, stream, connector))
    first = next(batches, None)
    if first is None:
        msg = f"Table `{stream.name}` of connector `{connector}` has no columns: it cannot be referred to."
        raise InvalidData(msg)
    missing = [name for name in columns if name not in first.schema.names]
    if missing:
        msg = (
            f"Table `{stream.name}` of connector `{connector}` has no column {', '.join(missing)}. "
            f"Columns: {', '.join(first.schema.names)}."
        )
        raise InvalidData(msg)
    names = list(columns) or first.schema.names

    def rows() -> Iterator[pa.RecordBatch]:
        yield first.select(names)
        for batch in batches:
            yield batch.select(names)

    return pa.RecordBatchReader.from_batches(first.select(names).schema, rows())
