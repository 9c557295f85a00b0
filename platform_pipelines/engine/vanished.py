"""Deletes by key difference: keys that are loaded and that the source does not have any more.

After an extract all keys of the feed are read from the source and compared with
the known ones. Those that are gone are landed as a batch of their own, so each
destination applies them once, in order, at its own pace. Where a destination
has the row from another feed since, it stays.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.connectors.base import KeyReader
from platform_pipelines.engine import knownkeys
from platform_pipelines.engine.context import stamp
from platform_pipelines.engine.forgetting import forget
from platform_pipelines.engine.incoming import conform
from platform_pipelines.engine.knownkeys import KNOWN
from platform_pipelines.engine.masking import LandingMask
from platform_pipelines.engine.offsets import check_follows
from platform_pipelines.engine.unmoved import unmoved
from platform_pipelines.errors import DeletesRefused, InvalidData
from platform_pipelines.model import DELETED_AT, Offset, Window
from platform_pipelines.spec.sourcekey import source_key
from platform_pipelines.store import Manifest, keysnapshot
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.connectors.base import Source
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.extract import Extract
    from platform_pipelines.engine.forgetting import Owed
    from platform_pipelines.engine.report import Landed
    from platform_pipelines.model import Page, Rejected
    from platform_pipelines.spec import PipelineSpec
    from platform_pipelines.store import DataFile, FeedLog

_log = logging.getLogger(__name__)
_BATCH_ROWS = 122_880
_POSITION = "_pipelines_position"


def detects(spec: PipelineSpec) -> bool:
    """Whether the pipeline looks for keys that are gone."""
    return spec.source.deletes is not None and spec.source.deletes.detect is not None


def land_deletes(
    context: Context, log: FeedLog, extract: Extract, source: Source, owed: Callable[[], Owed]
) -> Manifest | None:
    """Commit the keys that are gone as a batch; None if there are none. Call it with the feed locked.

    Args:
        context: the pipeline.
        log: of the feed.
        extract: what was just read.
        source: what it was read from.
        owed: which rows the next read meets again.

    Raises:
        DeletesRefused: more keys are gone than ``max_share`` allows.
        ConnectError: the source cannot be reached.
        InvalidData: the stream has no such key columns.
        StoreCorrupt: a batch file that says which keys are loaded is missing.
    """
    if not detects(context.pipeline) or extract.kind != "extract":
        return None
    columns = source_key(context.pipeline)
    keysnapshot.sweep(log, extract.epoch)
    with duck.session() as connection:
        schema = knownkeys.collect(connection, log, extract.epoch, tuple(columns))
        if schema is None:
            return None
        comparison = _Comparison(connection, columns, schema)
        fields = tuple(dict.fromkeys(columns.values()))
        comparison.read(LandingMask(context.pipeline).in_clear(lambda: _pages(extract, source, fields)))
        if comparison.unreadable:
            _log.warning(
                "%d records of stream %r cannot be read and do not tell their key, so which keys are gone is not "
                "known. Nothing is deleted in this run.",
                comparison.unreadable,
                extract.stream.name,
            )
            return None
        gone = comparison.compare()
        _check_share(context, log, gone, comparison)
        manifest = _commit(context, log, extract, comparison, owed()) if gone else None
    knownkeys.compact_if_long(log, extract.epoch, tuple(columns))
    return manifest


def with_deletes(landed: Landed, manifest: Manifest | None) -> Landed:
    """The report of a landing, with the keys found gone counted."""
    if manifest is None:
        return landed
    return replace(
        landed,
        batches=landed.batches + 1,
        rows=landed.rows + manifest.rows,
        read=landed.read + manifest.read,
        deleted=manifest.rows,
        bytes=landed.bytes + manifest.size,
    )


def _pages(extract: Extract, source: Source, fields: tuple[str, ...]) -> Iterator[Page]:
    window = Window(partition=extract.window.partition)
    if isinstance(source, KeyReader):
        return source.read_keys(extract.stream, window, fields)
    return source.read(extract.stream, window, None)


@dataclass
class _Comparison:
    """The keys of both sides, as temporary tables.

    Attributes:
        connection: has the table :data:`KNOWN`.
        columns: ``{key column: column of the source}``.
        schema: of the known keys.
        found: distinct keys of the source so far.
        unreadable: records whose key cannot be told.
    """

    connection: duckdb.DuckDBPyConnection
    columns: dict[str, str]
    schema: pa.Schema
    unreadable: int = 0

    def read(self, pages: Iterator[Page]) -> None:
        """Take the source's keys."""
        import pyarrow as pa

        self.connection.execute(f"create or replace temp table source_keys as from {KNOWN} limit 0")
        for page in pages:
            for batch in page.batches:
                self._take(pa.table(self._keys(batch)))
            if page.rejected:
                self._take_rejected(page.rejected)

    def compare(self) -> int:
        """Make the known keys that the source has not the table ``gone``; how many."""
        same = " and ".join(f"s.{duck.quote(name)} = k.{duck.quote(name)}" for name in self.columns)
        self.connection.execute(
            f"create or replace temp table gone as select k.* from {KNOWN} k "
            f"where not exists (select 1 from source_keys s where {same})"
        )
        return self.count("gone")

    def gone_of(self, rows: pa.Table) -> pa.Table:
        """Those of the source's rows whose key is gone."""
        import pyarrow as pa

        keys = {name: rows.column(name) for name in dict.fromkeys(self.columns.values())}
        numbered = pa.table([pa.array(range(rows.num_rows)), *keys.values()], names=[_POSITION, *keys])
        same = " and ".join(f"g.{duck.quote(name)} = {cast}" for name, cast in self._casts("r").items())
        self.connection.register("landed_keys", numbered)
        found = self.connection.execute(
            f"select {_POSITION} from landed_keys r where exists (select 1 from gone g where {same})"
        ).to_arrow_table()
        self.connection.unregister("landed_keys")
        return rows.take(found.column(_POSITION))

    def count(self, table: str) -> int:
        """Rows of one of the tables."""
        return int(self.connection.execute(f"select count(*) from (select distinct * from {table})").fetchall()[0][0])

    def _keys(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        missing = [name for name in self.columns.values() if name not in batch.schema.names]
        if missing:
            msg = (
                f"Key column `{missing[0]}` is not a column of the stream, so deletes cannot be told by key. "
                f"Columns: {', '.join(batch.schema.names)}."
            )
            raise InvalidData(msg)
        return batch.select(list(dict.fromkeys(self.columns.values())))

    def _take_rejected(self, rejected: Sequence[Rejected]) -> None:
        """A record with another field that cannot be read is there all the same."""
        import pyarrow as pa

        records = [_fields(item.record) for item in rejected]
        names = list(dict.fromkeys(self.columns.values()))
        whole = [record for record in records if all(record.get(name) is not None for name in names)]
        self.unreadable += len(records) - len(whole)
        if whole:
            self._take(pa.table({name: [str(record[name]) for record in whole] for name in names}))

    def _take(self, keys: pa.Table) -> None:
        casts = ", ".join(f"{cast} as {duck.quote(name)}" for name, cast in self._casts("p").items())
        self.connection.register("key_page", keys)
        self.connection.execute(f"insert into source_keys select distinct {casts} from key_page p")
        self.connection.unregister("key_page")

    def _casts(self, relation: str) -> dict[str, str]:
        """The source's key columns in the types of the known keys."""
        kinds = {row[0]: row[1] for row in self.connection.execute(f"describe {KNOWN}").fetchall()}
        return {
            name: f"try_cast({relation}.{duck.quote(source)} as {kinds[name]})" for name, source in self.columns.items()
        }


def _fields(record: str) -> dict[str, Any]:
    try:
        found = json.loads(record)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check_share(context: Context, log: FeedLog, gone: int, comparison: _Comparison) -> None:
    deletes = context.pipeline.source.deletes
    known = comparison.count(KNOWN)
    if deletes is None or context.allow_destructive or gone <= deletes.max_share * known:
        return
    name, partition = context.pipeline.name, log.feed.partition
    command = f"pipelines run {name}{log.feed.option} --allow-destructive"
    where = f" of partition {partition}" if partition else ""
    msg = (
        f"{gone} of the {known} keys that `{name}` has loaded{where} are gone at the source ({gone / known:.1%}), more "
        f"than `deletes.max_share` allows ({deletes.max_share:.1%}). The source gave {comparison.count('source_keys')} "
        "keys. Nothing was deleted. If the source is incomplete, mend it and run again; if these rows are really gone, "
        f"run `{command}`."
    )
    raise DeletesRefused(msg)


def _commit(context: Context, log: FeedLog, extract: Extract, comparison: _Comparison, owed: Owed) -> Manifest:
    """Land the keys that are gone; the watermark stays what it was, and the boundary forgets their rows."""
    previous = log.last(extract.epoch)
    assert previous is not None  # noqa: S101 - there are known keys, so there are batches
    sequence = previous.sequence + 1
    check_follows(context, log, Offset(extract.epoch, sequence))
    files = _write(context, log.attempt_folder(extract.epoch, sequence), comparison)
    fields = unmoved(previous) | {"columns": owed.columns}
    fields["boundary"] = forget(log, extract, owed, set(comparison.columns.values()), comparison.gone_of)
    manifest = Manifest(
        feed=log.feed,
        epoch=extract.epoch,
        sequence=sequence,
        token=context.token,
        run_id=context.run_id or context.token,
        created_at=stamp(),
        kind="deletes",
        files=files,
        read=sum(file.rows for file in files),
        schema=previous.schema,
        **fields,
    )
    log.commit(manifest)
    return manifest


def _write(context: Context, folder: Path, comparison: _Comparison) -> tuple[DataFile, ...]:
    """The keys that are gone as files, for soft deletes with the mark."""
    import pyarrow as pa

    deletes, schema = context.pipeline.source.deletes, comparison.schema
    names = ", ".join(duck.quote(name) for name in schema.names)
    if deletes is not None and deletes.action == "soft":
        schema = schema.append(pa.field(DELETED_AT, pa.timestamp("us", "UTC")))
        names += f", {duck.literal(stamp())}::timestamptz as {duck.quote(DELETED_AT)}"
    writer = PartWriter(folder, schema)
    for batch in comparison.connection.execute(f"select {names} from gone").to_arrow_reader(_BATCH_ROWS):
        writer.write(conform(batch, schema))
    return writer.close()
