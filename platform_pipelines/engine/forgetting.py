"""Rows whose key is gone at the source leave the boundary: they land again if they come back as they were.

Which keys are gone is left to ``vanished``. The rows are found in the batches that
landed them, which retention keeps as long as the boundary may name rows of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.engine.boundary import NO_CURSOR, at_or_missing, lowest, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.extract import Extract
    from platform_pipelines.store import FeedLog, Manifest


@dataclass(frozen=True, slots=True)
class Owed:
    """Which rows the next read meets again.

    Attributes:
        boundary: see :attr:`Manifest.boundary`.
        columns: the columns its hashes were taken over.
        unmet: keys of the boundary under which this read met no row, so that rows that are gone may be among them.
    """

    boundary: dict[str, str]
    columns: tuple[str, ...]
    unmet: frozenset[str]


def forget(
    log: FeedLog, extract: Extract, owed: Owed, key: set[str], gone: Callable[[pa.Table], pa.Table]
) -> dict[str, str]:
    """The boundary without the rows that are gone.

    Args:
        log: of the feed.
        extract: what was just read.
        owed: what it met.
        key: columns of the source that make the key.
        gone: given landed rows, those of them whose key is gone.
    """
    field, suspects = extract.tracked, {name: owed.boundary[name] for name in owed.unmet if name in owed.boundary}
    if not suspects or field is None:
        return owed.boundary
    needed = {*key, field}
    found = (
        gone(landed)
        for path, low in _files(log, extract.epoch, suspects)
        if needed <= set(names := _names(path))
        for landed in _rows(path, [name for name in names if name in needed or name in owed.columns], field, low)
    )
    return without(owed.boundary, owed.columns, field, (batch for table in found for batch in table.to_batches()))


def needed_from(log: FeedLog, epoch: int) -> int | None:
    """The first batch that brought rows which the boundary may name by their cursor; None if there is none."""
    last = log.last(epoch)
    low = _lowest(last.boundary, last.watermark) if last is not None else None
    manifests = (log.manifest(epoch, sequence) for sequence in log.sequences(epoch))
    return next((each.sequence for each in manifests if low is not None and _reaches(each, low)), None)


def _files(log: FeedLog, epoch: int, suspects: Mapping[str, str]) -> Iterator[tuple[Path, Cursor | None]]:
    """Batch files that may hold such rows of the boundary, newest first, and the cursor from which on they may be.

    None stands for rows without a cursor alone.
    """
    last = log.last(epoch)
    low, missing = _lowest(suspects, last.watermark if last else None), NO_CURSOR in suspects
    for manifest in (log.manifest(epoch, sequence) for sequence in reversed(log.sequences(epoch))):
        if not missing and (low is None or _is_below(manifest.watermark, low)):
            return
        reaches = low is not None and _reaches(manifest, low)
        if manifest.kind == "extract" and (missing or reaches):
            for path in (log.epoch_folder(epoch) / file.path for file in manifest.files):
                if path.exists():  # of a batch that retention has removed nothing is known
                    yield path, low if reaches else None


def _is_below(watermark: Cursor | None, low: Cursor) -> bool:
    return watermark is not None and watermark.kind == low.kind and not watermark.at_least(low)


def _lowest(boundary: Mapping[str, str], watermark: Cursor | None) -> Cursor | None:
    return lowest(boundary, watermark.kind) if watermark is not None else None


def _reaches(manifest: Manifest, low: Cursor) -> bool:
    high = manifest.cursor_high
    return manifest.kind == "extract" and high is not None and high.kind == low.kind and high.at_least(low)


def _names(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_schema(path).names


def _rows(path: Path, names: list[str], field: str, low: Cursor | None) -> Iterator[pa.Table]:
    """The rows of a file that may be suspects."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=names):
            rows = at_or_missing(batch, field, low)
            if rows.num_rows:
                yield pa.Table.from_batches([rows])
