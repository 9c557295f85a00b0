"""The rows of one load: one version of each key, in one schema, as a stream.

Deduplication is done here, once, for every destination: the newest cursor
wins, then the later batch, then the later row. NULL in a key column is refused.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.context import Progress
from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.engine.origins import Replays
from platform_pipelines.engine.overtaken import BATCH, INCOMING, OVERTAKEN, Arrivals
from platform_pipelines.engine.rivals import late
from platform_pipelines.engine.schemas import unified
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import DELETED_AT
from platform_pipelines.rowfiles import NOWHERE, RowFiles
from platform_pipelines.rowsql import FILE, ROW, placed
from platform_pipelines.sql.columnnames import check_names
from platform_pipelines.store.passed import passed
from platform_pipelines.timeunits import cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.model import Feed
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog, Manifest, Verdict

#: modes that tell rows apart by a key
KEYED = frozenset({"merge", "update", "delete"})
_BATCH_ROWS = 122_880
# columns beside those of the rows
_COUNTS, _VERSION = "_pipelines_counts", "_pipelines_version"


@dataclass(frozen=True)
class Incoming:
    """Rows ready for a destination.

    Attributes:
        feed: whose rows.
        schema: their Arrow schema, field metadata included.
        rows: how many.
        deduplicated: versions left out that are not the newest.
        cursor: the column that orders versions; None where the rows have none.
        stored: where exactly these rows lie in files; nowhere if they do not.
    """

    feed: Feed
    schema: pa.Schema
    rows: int
    deduplicated: int
    cursor: str | None
    stored: RowFiles
    _connection: duckdb.DuckDBPyConnection = field(repr=False)
    _query: str = ""

    def reader(self, context: Context, destination: str) -> pa.RecordBatchReader:
        """The rows, streamed; to be read once."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self._batches(context, destination))

    def _batches(self, context: Context, destination: str) -> Iterator[pa.RecordBatch]:
        if not self.rows:
            return
        done = size = 0
        for batch in self._connection.execute(self._query).to_arrow_reader(_BATCH_ROWS):
            yield conform(batch, self.schema)
            done, size = done + batch.num_rows, size + batch.nbytes
            context.report(Progress("load", self.feed, done, size, destination))


@contextlib.contextmanager
def incoming(
    context: Context, log: FeedLog, spec: DestinationSpec, batches: Sequence[tuple[Manifest, Verdict]]
) -> Iterator[Incoming]:
    """Prepare the rows of these batches for a destination.

    Raises:
        InvalidData: a key column is missing or holds NULL, or columns cannot be told apart by name.
        SchemaDrift: the batches have no schema in common.
        StoreCorrupt: a batch file is missing or was changed.
    """
    landed = unified(verdict.schema for _, verdict in batches if verdict.schema is not None)
    check_names(landed.names)
    schema = landed if batches[0][0].kind == "deletes" else markable(context, landed)
    stored = RowFiles.joined(passed(log, verdict) for _, verdict in batches)
    total = sum(verdict.rows_out for _, verdict in batches)
    cursor = order_column(context, schema)
    keyed = spec.mode in KEYED
    if keyed:
        check_key(spec, schema, context.pipeline.name)
    connection = duck.connect_for(len(schema))
    try:
        query, rows = "", total
        if stored.paths:
            _create_view(connection, stored, landed, schema, batches)
            if keyed:
                rows -= _leave_overtaken(Arrivals(connection, context, log, spec, cursor), batches)
            duplicated = keyed and _inspect_key(connection, spec, context.pipeline.name) < rows
            query = f"select * exclude ({FILE}, {ROW}, {BATCH}) from incoming"
            if duplicated:
                query = _newest(spec.key, cursor, schema)
                rows = connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
            if not context.connector(spec.connector).atomic:  # a load that broke off goes on in the same order
                query += f" order by {FILE}, {ROW}"
        same = all(verdict.schema == schema for _, verdict in batches if verdict.files)
        as_stored = stored if rows == total and same else NOWHERE
        yield Incoming(log.feed, schema, rows, total - rows, cursor, as_stored, connection, query)
    finally:
        duck.end(connection)


def markable(context: Context, schema: pa.Schema) -> pa.Schema:
    """The schema with the column that marks deleted rows, where the pipeline marks them: a row that comes is none."""
    import pyarrow as pa

    deletes = context.pipeline.source.deletes
    marks = deletes is not None and deletes.detect is not None and deletes.action == "soft"
    if not marks or not schema.names or DELETED_AT in schema.names:
        return schema
    return schema.append(pa.field(DELETED_AT, pa.timestamp("us", "UTC")))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch under ``schema``: the same values, field metadata and exact types restored."""
    import pyarrow as pa

    columns: list[Any] = []
    for item in schema:
        column = batch.column(item.name)
        if column.null_count == len(column):  # DuckDB makes integers of a column in which there never was a value
            column = pa.nulls(batch.num_rows, item.type)
        columns.append(cast(column, item.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _batch_numbers(batches: Sequence[tuple[Manifest, Verdict]]) -> list[int]:
    """For each file, which of the batches it belongs to."""
    return [number for number, (_, verdict) in enumerate(batches) for _ in verdict.files]


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    stored: RowFiles,
    landed: pa.Schema,
    schema: pa.Schema,
    batches: Sequence[tuple[Manifest, Verdict]],
) -> None:
    """Make the files one view; a batch without rows may bring a column that no file has."""
    numbers = _batch_numbers(batches)
    held = {name for _, verdict in batches if verdict.files and verdict.schema for name in verdict.schema.names}
    quoted = ((name in held, duck.quote(name)) for name in landed.names)
    names = ", ".join(name if there else f"null as {name}" for there, name in quoted)
    if schema != landed:
        names += f", cast(null as timestamptz) as {duck.quote(DELETED_AT)}"
    connection.execute(
        f"create temp view incoming as select {names}, {FILE}, {ROW}, "
        f"list_extract({numbers}, cast({FILE} + 1 as bigint)) as {BATCH} from {placed(stored)}"
    )


def _leave_overtaken(arrivals: Arrivals, batches: Sequence[tuple[Manifest, Verdict]]) -> int:
    """Take rows that come late out of the view; how many."""
    compares = arrivals.context.connector(arrivals.spec.connector).compares
    replays = Replays(arrivals.log, batches[0][0].epoch)
    lates = {number: late(replays, manifest, compares=compares) for number, (manifest, _) in enumerate(batches)}
    known = {number: each for number, each in lates.items() if each is not None}
    found = arrivals.find_overtaken(known, replays) if known else 0
    if found:
        arrivals.connection.execute(f"alter view {INCOMING} rename to arrived")
        arrivals.connection.execute(
            f"create temp view {INCOMING} as from arrived where ({FILE}, {ROW}) not in (from {OVERTAKEN})"
        )
    return found


def check_key(spec: DestinationSpec, schema: pa.Schema, pipeline: str) -> None:
    """See that the rows have the columns of the key.

    Raises:
        InvalidData: one is missing.
    """
    missing = [name for name in spec.key if name not in schema.names]
    if missing and schema.names:
        msg = (
            f"Key {', '.join(missing)} of destination `{spec.name}` of pipeline `{pipeline}` is not among the "
            f"columns to load: {', '.join(schema.names)}. Mend `key`, or keep the column in `map`."
        )
        raise InvalidData(msg)


def _inspect_key(connection: duckdb.DuckDBPyConnection, spec: DestinationSpec, pipeline: str) -> int:
    """Distinct keys.

    Raises:
        InvalidData: a key column holds NULL.
    """
    names = [duck.quote(name) for name in spec.key]
    distinct_keys = f"select count(*) from (select distinct {', '.join(names)} from incoming)"
    ((distinct,),) = null_keys(connection, "incoming", spec, pipeline, f"({distinct_keys})")
    return int(distinct)


def null_keys(
    connection: duckdb.DuckDBPyConnection, relation: str, spec: DestinationSpec, pipeline: str, wanted: str = "0"
) -> list[tuple[Any, ...]]:
    """Look for keys without a value; what else is wanted of the relation, in the same look.

    Raises:
        InvalidData: a key column holds NULL.
    """
    nulls = " or ".join(f"{duck.quote(name)} is null" for name in spec.key)
    sql = f"select count(*) filter (where {nulls}), {wanted} from {relation}"
    missing, *rest = connection.execute(sql).fetchall()[0]
    if missing:
        msg = (
            f"{missing} rows of pipeline `{pipeline}` have NULL in key {', '.join(spec.key)} of destination "
            f"`{spec.name}`; a key must have a value. Nothing was loaded. Reject such rows with a rule "
            f"`{{type: required, fields: [{', '.join(spec.key)}]}}`, or choose another key."
        )
        raise InvalidData(msg)
    return [tuple(rest)]


def _newest(key: Sequence[str], cursor: str | None, schema: pa.Schema) -> str:
    """The version of each key that would stay if the batches were loaded one after the other.

    A row without a cursor stands for what the source held when its batch was read, so versions of
    earlier batches are none any more; within one batch, a version with a cursor is the newer one.
    """
    columns = ", ".join(duck.quote(name) for name in schema.names)
    keys = ", ".join(duck.quote(name) for name in key)
    newest, versions = "", "incoming"
    if cursor:
        column = duck.quote(cursor)
        newest = f"{_COUNTS} desc, {column} desc nulls last, "
        missing = f"max({BATCH}) filter (where {column} is null) over (partition by {keys})"
        versions = f"(select *, {BATCH} >= coalesce({missing}, 0) as {_COUNTS} from incoming)"
    return (
        f"select {columns} from (select *, row_number() over (partition by {keys} "
        f"order by {newest}{FILE} desc, {ROW} desc) as {_VERSION} from {versions}) where {_VERSION} = 1"
    )
