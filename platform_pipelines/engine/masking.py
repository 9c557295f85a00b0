"""Masks ``at: landing``: values are hidden as they are read, before anything is stored.

Everything behind the source sees hidden values alone: the log, row hashes of the
boundary, rejected records, dead letters, samples, records of the run. Records that
the source could not read are withheld whole, for nobody knows which value of theirs
stands where; so are values in the messages of errors of the source. How a value is
hidden is left to ``transforms.hiding``.
"""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.model import Page, Rejected
from platform_pipelines.outcomes import TransformOutcome
from platform_pipelines.relations import columns, require_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.spec.transform import TransformSpec

#: metadata of a masked field: the Arrow field that the source gave, as a serialized schema in base64
SOURCE_FIELD = b"pipelines_source_field"
HIDDEN = "***"
_VIEW = "_pipelines_masked"
_PLACE = re.compile(r"[^'\"`]{1,200}? line \d+")


def behind_landing(transforms: Sequence[TransformSpec]) -> tuple[TransformSpec, ...]:
    """The transforms that run over landed rows."""
    return tuple(each for each in transforms if each.at != "landing")


def unmasked(schema: pa.Schema | None) -> pa.Schema | None:
    """The schema that the source gave, of a schema that was landed: sources keep reading the types they had."""
    if schema is None:  # a first run, which opens its source while Arrow is still being imported
        return None
    import pyarrow as pa

    fields = []
    for field in schema:
        kept = (field.metadata or {}).get(SOURCE_FIELD)
        fields.append(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(kept))).field(0) if kept else field)
    return pa.schema(fields)


class LandingMask:
    """Hides the values of one pipeline's pages as they are read.

    Attributes:
        outcomes: rows and seconds of each mask so far.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        self._specs = [each for each in spec.transforms if each.at == "landing"]
        self.outcomes = tuple(TransformOutcome(each.label, each.kind, 0, 0, 0.0) for each in self._specs)

    def pages(self, read: Callable[[], Iterable[Page]]) -> Iterator[Page]:
        """The pages with their values hidden.

        Args:
            read: asks the source; its errors count as the source's, too.

        Raises:
            InvalidData: a column to be hidden does not exist.
            SecretError: a salt does not resolve.
            Exception: what the source raises, without the values it may quote.
        """
        if not self._specs:
            yield from read()
            return
        with duck.session() as connection:
            for page in _silenced(read):
                batches = tuple(self._batch(connection, batch) for batch in page.batches)
                yield replace(page, batches=batches, rejected=tuple(_withheld(each) for each in page.rejected))

    def in_clear(self, read: Callable[[], Iterable[Page]]) -> Iterator[Page]:
        """The pages as they are, to compare keys with; errors of the source quote no value."""
        yield from _silenced(read) if self._specs else read()

    def _batch(self, connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch) -> pa.RecordBatch:
        found = []
        for spec, outcome in zip(self._specs, self.outcomes, strict=True):
            started = time.perf_counter()
            batch = _masked(connection, spec, batch)
            seconds = outcome.seconds + time.perf_counter() - started
            rows = outcome.rows_in + batch.num_rows
            found.append(replace(outcome, rows_in=rows, rows_out=rows, seconds=seconds))
        self.outcomes = tuple(found)
        return batch


def _masked(connection: duckdb.DuckDBPyConnection, spec: TransformSpec, batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    from platform_pipelines.transforms import hiding, mask

    ways = mask.parse(spec.body)
    require_columns(ways, batch.schema.names, f"Transform `{spec.label}` (mask at landing)")
    clear = pa.table({name: _readable(batch.column(name)) for name in ways})
    connection.register(_VIEW, clear)
    try:
        kinds = columns(connection, _VIEW)
        hidden = [
            f"{hiding.expression(connection, way, duck.quote(name), kinds[name])} as {duck.quote(name)}"
            for name, way in ways.items()
        ]
        masked = connection.execute(f"select {', '.join(hidden)} from {_VIEW}").to_arrow_table().combine_chunks()
    finally:
        connection.unregister(_VIEW)
    arrays: list[Any] = []
    fields = []
    for position, field in enumerate(batch.schema):
        if field.name not in ways:
            arrays.append(batch.column(position))
            fields.append(field)
            continue
        column = masked.column(field.name).cast(pa.string())
        arrays.append(pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string()))
        fields.append(_hidden_field(field))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _readable(column: pa.Array[Any]) -> pa.Array[Any]:
    """Decimals of more than 38 digits are beyond DuckDB: as text."""
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_decimal256(column.type) else column


def _hidden_field(field: pa.Field[Any]) -> pa.Field[Any]:
    import pyarrow as pa

    source = (field.metadata or {}).get(SOURCE_FIELD)
    source = source or base64.b64encode(pa.schema([field]).serialize().to_pybytes())
    return pa.field(field.name, pa.string(), metadata={SOURCE_FIELD: source})


def _withheld(rejected: Rejected) -> Rejected:
    """A record that could not be read, with its keys, its place in the source, and no value."""
    try:
        record = json.loads(rejected.record)
    except ValueError:
        record = None
    body: Any = dict.fromkeys(record, HIDDEN) if isinstance(record, dict) else HIDDEN
    named = [key for key in body if f"column {key!r}" in rejected.reason] if isinstance(body, dict) else []
    place = _PLACE.match(rejected.reason)
    reason = f"{place[0] if place else 'A record'}{', column ' + ', '.join(named) if named else ''}"
    return Rejected(
        json.dumps(body, ensure_ascii=False),
        f"{reason}: cannot be read as declared; its values are withheld, because the pipeline masks at landing.",
    )


def _silenced(read: Callable[[], Iterable[Page]]) -> Iterator[Page]:
    """The pages; an error of the source stays what it is, without the values that its message or cause may quote."""
    try:
        yield from read()
    except Exception as error:
        error.args = tuple(_without_values(str(each)) for each in error.args)
        raise error from None


def _without_values(message: str) -> str:
    """The message with everything from its first quote to its last withheld: values may hold quotes themselves."""
    return re.sub(r"['\"].*['\"]", f"'{HIDDEN}'", message, flags=re.DOTALL)
