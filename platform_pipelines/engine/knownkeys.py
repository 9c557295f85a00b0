"""The keys that a feed has loaded and not deleted since, read from its log.

A key is known if the last batch that read it brings it and does not delete it; what a
replay brings was read before.
Which of them are gone at the source is left to ``vanished``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.engine.incoming import conform
from platform_pipelines.engine.origins import Replays
from platform_pipelines.engine.schemas import unified
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.rowsql import FILE, is_plain, placed
from platform_pipelines.store import keysnapshot
from platform_pipelines.store.keysnapshot import KeySnapshot
from platform_pipelines.store.passed import passed
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from platform_pipelines.store import DataFile, FeedLog

#: the temporary table of :func:`collect`
KNOWN = "known_keys"
#: batches behind the last snapshot after which another is written
SNAPSHOT_BATCHES = 100
_BATCH_ROWS = 122_880


@dataclass(frozen=True, slots=True)
class _Part:
    """What one batch, or the snapshot, says of keys."""

    sequence: int
    read: int  # the batch that read the rows: of a replay an earlier one
    rows: RowFiles
    schema: pa.Schema
    gone: bool = False


def collect(
    connection: duckdb.DuckDBPyConnection, log: FeedLog, epoch: int, key: tuple[str, ...], upto: int | None = None
) -> pa.Schema | None:
    """Make the known keys the table :data:`KNOWN`, up to a batch or all.

    Returns:
        The schema of the key columns as loaded, field metadata included; None if no key was ever loaded.

    Raises:
        StoreCorrupt: a batch file is missing or was changed.
        SchemaDrift: the key columns of the batches have no types in common.
    """
    parts = [part for part in _parts(log, epoch) if upto is None or part.sequence <= upto]
    whole = unified(_select(part.schema, key) for part in parts if not part.gone)
    if set(key) - set(whole.names):
        return None
    each_file = [part for part in parts for _ in part.rows.paths]
    table = [f"({number}, {part.read}, {'true' if part.gone else 'false'})" for number, part in enumerate(each_file)]
    rows = RowFiles.joined(part.rows for part in parts)
    names = ", ".join(duck.quote(name) for name in key)
    keys = ", ".join(f"f.{duck.quote(name)}" for name in key)
    present = " and ".join(f"f.{duck.quote(name)} is not null" for name in key)
    connection.execute(
        f"create or replace temp table {KNOWN} as select {names} from ("
        f"select {keys}, arg_max(o.gone, o.sequence) as _pipelines_gone "
        f"from {placed(rows)} f join (values {', '.join(table)}) o(number, sequence, gone) on o.number = f.{FILE} "
        f"where {present} group by {keys}) where not _pipelines_gone"
    )
    return whole


def compact(log: FeedLog, epoch: int, key: tuple[str, ...]) -> int:
    """Write a snapshot of what all judged batches say, up to the first that is not; the sequence it covers.

    Raises:
        StoreCorrupt: see :func:`collect`.
    """
    covered, done = _judged(log, epoch), keysnapshot.latest(log, epoch)
    if covered <= done.sequence:
        return done.sequence
    with duck.session() as connection:
        schema = collect(connection, log, epoch, key, covered)
        if schema is None:
            return done.sequence
        writer = PartWriter(keysnapshot.folder(log, epoch, covered), schema, prefix="keys")
        for batch in connection.execute(f"from {KNOWN}").to_arrow_reader(_BATCH_ROWS):
            writer.write(conform(batch, schema))
        keysnapshot.commit(log, epoch, KeySnapshot(covered, writer.close()))
    return covered


def compact_if_long(log: FeedLog, epoch: int, key: tuple[str, ...]) -> None:
    """Write a snapshot where many batches have come since the last one."""
    if _judged(log, epoch) - keysnapshot.latest(log, epoch).sequence > SNAPSHOT_BATCHES:
        compact(log, epoch, key)


def _judged(log: FeedLog, epoch: int) -> int:
    """The last batch up to which none waits for its verdict; 0 for none."""
    sealed = log.sealed(epoch)
    last = 0
    for sequence in log.sequences(epoch):
        if sequence not in sealed:
            break
        last = sequence
    return last


def _parts(log: FeedLog, epoch: int) -> Iterator[_Part]:
    """The snapshot and every batch behind it that has files; a batch of deletes counts without a verdict, too."""
    snapshot, replays = keysnapshot.latest(log, epoch), Replays(log, epoch)
    if snapshot.files:
        yield _keys(log, epoch, snapshot.sequence, snapshot.files)
    yield from _gone_before(log, snapshot.sequence, replays)
    for sequence in (number for number in log.sequences(epoch) if number > snapshot.sequence):
        manifest = log.manifest(epoch, sequence)
        if manifest.kind == "deletes":
            yield replace(_keys(log, epoch, sequence, manifest.files), gone=True)
            continue
        verdict = log.verdict(epoch, sequence)
        if verdict is not None and verdict.files and verdict.schema is not None:
            yield _Part(sequence, replays.read_by(sequence), passed(log, verdict), verdict.schema)


def _gone_before(log: FeedLog, snapshot: int, replays: Replays) -> Iterator[_Part]:
    """Deletes that the snapshot covers and that replays behind it must know: it knows of no key that is gone."""
    oldest = min((read for sequence, read in replays.origins.items() if sequence > snapshot), default=snapshot)
    epoch = replays.epoch
    for sequence in log.sequences(epoch):
        if not oldest < sequence <= snapshot or (manifest := log.manifest(epoch, sequence)).kind != "deletes":
            continue
        if all((log.epoch_folder(epoch) / file.path).exists() for file in manifest.files):
            yield replace(_keys(log, epoch, sequence, manifest.files), gone=True)


def _keys(log: FeedLog, epoch: int, sequence: int, files: Sequence[DataFile]) -> _Part:
    """What files of keys alone say."""
    import pyarrow.parquet as pq

    paths = tuple(log.paths(epoch, files))
    schema = pq.read_schema(paths[0])
    return _Part(sequence, sequence, RowFiles(paths, plain=is_plain(schema.names)), schema)


def _select(schema: pa.Schema, key: tuple[str, ...]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in key if name in schema.names])
