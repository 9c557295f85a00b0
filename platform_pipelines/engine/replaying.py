"""Lands open dead letters anew, as batches of their own: what of them is open, and which of them go together.

Rows that the rules rejected, and records that never became rows, make one batch.
Rows that a transform stopped make one for each place where they were stopped and
each schema they have, for they go on from there. Rows of different batches go
together only if no row between them can be newer than some of them alone: so a
replay has an age, see ``overtaken``. A batch's manifest says which
files of dead letters it took up, and so each is taken up once. Judging and loading
are left to ``deadletters``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.context import stamp
from platform_pipelines.engine.incoming import KEYED
from platform_pipelines.engine.offsets import check_follows
from platform_pipelines.engine.ordercolumn import order_column
from platform_pipelines.engine.origins import Replays, generations
from platform_pipelines.engine.refused_rows import BOOKKEEPING
from platform_pipelines.engine.schemas import unified
from platform_pipelines.engine.unmoved import unmoved
from platform_pipelines.engine.unread import UNREAD_PREFIX
from platform_pipelines.model import Offset
from platform_pipelines.store import Manifest
from platform_pipelines.store.writer import PartWriter
from platform_pipelines.timeunits import cast
from platform_pipelines.transforms.passed import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.store import DataFile, FeedLog, Verdict


@dataclass(frozen=True, slots=True)
class Letters:
    """Files of dead letters that go together.

    Attributes:
        rows: files of rows.
        unread: files of records that never became rows.
        replays: what the manifest says of them: epoch, sequence and files of each verdict.
    """

    rows: tuple[Path, ...] = ()
    unread: tuple[Path, ...] = ()
    replays: tuple[dict[str, Any], ...] = ()

    def with_file(self, verdict: Verdict, file: DataFile, path: Path) -> Letters:
        """These and one file more."""
        said = {"epoch": verdict.epoch, "sequence": verdict.sequence, "files": [file.path]}
        if is_unread(path):
            return dataclasses.replace(self, unread=(*self.unread, path), replays=(*self.replays, said))
        return dataclasses.replace(self, rows=(*self.rows, path), replays=(*self.replays, said))


def is_unread(path: Path) -> bool:
    """Whether a dead-letter file holds records that never became rows."""
    return path.name.startswith(UNREAD_PREFIX)


def open_verdicts(log: FeedLog) -> list[Verdict]:
    """Sealed verdicts of the live epoch, with the dead letters that no replay has taken up and how many they are."""
    return list(reversed(list(newest_open(log))))


def newest_open(log: FeedLog) -> Iterator[Verdict]:
    """The verdicts of :func:`open_verdicts`, newest first, each read when it is asked for."""
    epoch = log.live_epoch()
    if epoch is None:
        return
    taken, whole = _taken(log, epoch)
    for sequence in sorted(log.sealed(epoch) - whole, reverse=True):
        verdict = log.verdict(epoch, sequence)
        dead = tuple(file for file in verdict.dead if file.path not in taken) if verdict else ()
        if verdict and dead:
            yield dataclasses.replace(verdict, dead=dead, rejected=sum(file.rows for file in dead))


def count_open(log: FeedLog) -> int:
    """How many dead letters no replay has taken up; only batches that one has are opened."""
    epoch = log.live_epoch()
    if epoch is None:
        return 0
    files, whole = _taken(log, epoch)
    touched = whole | {item["sequence"] for each in log.replays(epoch) for item in each.replays}
    verdicts = (log.verdict(epoch, sequence) for sequence in touched & log.sealed(epoch))
    dead = (file for verdict in verdicts if verdict for file in verdict.dead if _is_taken(verdict, file, files, whole))
    return log.dead(epoch) - sum(file.rows for file in dead)


def _is_taken(verdict: Verdict, file: DataFile, files: set[str], whole: set[int]) -> bool:
    return verdict.sequence in whole or file.path in files


def land_replay(context: Context, log: FeedLog) -> bool:
    """Commit the open dead letters as batches; False if there are none."""
    with log.lock(context.token):
        log.sweep()
        verdicts = open_verdicts(log)
        epoch = log.live_epoch()
        previous = log.last(epoch) if epoch is not None else None
        if not verdicts or previous is None:
            return False
        check_follows(context, log, Offset(previous.epoch, previous.sequence + 1))
        for number, group in enumerate(_groups(context, log, verdicts), start=1):
            log.commit(_manifest(context, log, previous, previous.sequence + number, group))
    return True


def _taken(log: FeedLog, epoch: int) -> tuple[set[str], set[int]]:
    """Files of dead letters that replays took up, and sequences of which a replay took all."""
    items = [item for manifest in log.replays(epoch) for item in manifest.replays]
    files = {path for item in items for path in item.get("files", ())}
    return files, {item["sequence"] for item in items if "files" not in item}


def _groups(context: Context, log: FeedLog, verdicts: list[Verdict]) -> Iterator[Letters]:
    import pyarrow.parquet as pq

    groups: dict[tuple[int, bytes | None, str], Letters] = {}
    ages = _ages(context, log, verdicts)
    for verdict in verdicts:
        age = ages[verdict.sequence]
        for file, path in zip(verdict.dead, log.paths(verdict.epoch, verdict.dead), strict=True):
            schema = pq.read_schema(path)
            marks = (schema.metadata or {}).get(KEY)
            key = age, marks, "" if marks is None else str(schema.remove_metadata())
            groups[key] = groups.get(key, Letters()).with_file(verdict, file, path)
    for _, group in sorted(groups.items(), key=lambda item: item[0][0]):
        yield group


def _ages(context: Context, log: FeedLog, verdicts: list[Verdict]) -> dict[int, int]:
    """Numbers, by sequence, that are the same for letters between which nothing can have overtaken only some."""
    epoch, pipeline = verdicts[0].epoch, context.pipeline
    replays = Replays(log, epoch)
    read_by = {verdict.sequence: replays.read_by(verdict.sequence) for verdict in verdicts}
    if all(destination.mode not in KEYED for destination in pipeline.destinations):
        return dict.fromkeys(read_by, 0)
    cursor = pipeline.source.cursor
    ordered = all(verdict.schema is not None and order_column(context, verdict.schema) for verdict in verdicts)
    if cursor is None or cursor.on_missing == "include" or not ordered:
        return read_by
    numbers = generations(log, epoch, read_by.values())
    return {sequence: numbers[origin] for sequence, origin in read_by.items()}


def _manifest(context: Context, log: FeedLog, previous: Manifest, sequence: int, group: Letters) -> Manifest:
    folder = log.attempt_folder(previous.epoch, sequence)
    rows, schema = _merge(group.rows, folder, "part", BOOKKEEPING)
    rejects, _ = _merge(group.unread, folder, UNREAD_PREFIX, ())
    return Manifest(
        feed=log.feed,
        epoch=previous.epoch,
        sequence=sequence,
        token=context.token,
        run_id=context.run_id or context.token,
        created_at=stamp(),
        kind="replay",
        files=rows,
        rejects=rejects[0] if rejects else None,
        read=sum(file.rows for file in (*rows, *rejects)),
        schema=schema,
        replays=group.replays,
        **unmoved(previous),
    )


def _merge(
    paths: tuple[Path, ...], folder: Path, prefix: str, dropped: tuple[str, ...]
) -> tuple[tuple[DataFile, ...], pa.Schema | None]:
    """Copy Parquet files into parts of one schema, without the dropped columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not paths:
        return (), None
    first = pq.read_schema(paths[0])
    whole = unified(pq.read_schema(path) for path in paths)
    schema = pa.schema([item for item in whole if item.name not in dropped], metadata=_marks(first))
    writer = PartWriter(folder, schema, prefix=prefix)
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                writer.write(_widen(batch, schema))
    return writer.close(), schema


def _marks(schema: pa.Schema) -> dict[bytes | str, bytes | str] | None:
    marks = (schema.metadata or {}).get(KEY)
    return None if marks is None else {KEY: marks}


def _widen(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    present = set(batch.schema.names)
    columns = [
        cast(batch.column(item.name), item.type) if item.name in present else pa.nulls(batch.num_rows, item.type)
        for item in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
