"""Where judged rows go: rows to load into one set of files, dead letters into two.

Rows that nothing changed stay in the landed files; then the places of those that
the rules rejected are kept (``left-out-*``).

Dead letters keep their columns and types: those that the rules rejected
(``dead-*``), and those that a transform stopped, as they came into it and with
marks of what they had passed (``dead-stopped-*``). Records that never became rows
are kept as JSON (``unread-*``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.engine.context import Progress
from platform_pipelines.engine.incoming import conform
from platform_pipelines.engine.sample import sample_rows
from platform_pipelines.engine.unread import UNREAD_PREFIX
from platform_pipelines.rowsql import FILE, ROW
from platform_pipelines.store.writer import PartWriter
from platform_pipelines.transforms.metadata import carry_metadata
from platform_pipelines.transforms.passed import marked

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.store import DataFile, FeedLog, Manifest
    from platform_pipelines.transforms.chain import Rejects

#: file name prefix of dead letters that a transform stopped
STOPPED_PREFIX = "dead-stopped"


@dataclass(frozen=True, slots=True)
class Outflow:
    """The files of a verdict.

    Attributes:
        good: rows to load.
        left_out: places of rejected rows.
        dead: dead letters.
    """

    good: tuple[DataFile, ...]
    left_out: tuple[DataFile, ...]
    dead: tuple[DataFile, ...]


class Outlet:
    """The files of one batch's verdict.

    Args:
        context: the run.
        log: the feed's log.
        manifest: the batch.
        restore: gives a schema its field metadata back.
    """

    def __init__(
        self, context: Context, log: FeedLog, manifest: Manifest, restore: Callable[[pa.Schema], pa.Schema]
    ) -> None:
        self._context = context
        self._feed = log.feed
        self._folder = log.attempt_folder(manifest.epoch, manifest.sequence, validated=True)
        self._restore = restore
        self._good: PartWriter | None = None
        self._dead: PartWriter | None = None
        self._unread: PartWriter | None = None
        self._left_out: PartWriter | None = None
        self._stopped: list[PartWriter] = []
        self.sample: tuple[dict[str, Any], ...] = ()
        self.schema: pa.Schema | None = None

    def good(self, batch: pa.RecordBatch) -> None:
        """Take rows to load."""
        if self.schema is None:
            self.schema = self._restore(batch.schema)
        if self._good is None:
            self._good = PartWriter(self._folder, self.schema)
        self.sampled(batch)
        self._good.write(conform(batch, self.schema))
        self._context.report(Progress("validate", self._feed, self._good.rows, 0))

    def sampled(self, batch: pa.RecordBatch) -> None:
        """See some of the rows to load, which stay where they are."""
        if not self.sample:
            self.sample = sample_rows(batch)

    def leave_out(self, places: pa.RecordBatch) -> None:
        """Take the places of rejected rows among those that stay where they are: which file, which row."""
        import pyarrow as pa

        schema = pa.schema([("file", pa.int64()), ("row", pa.int64())])
        if self._left_out is None:
            self._left_out = PartWriter(self._folder, schema, prefix="left-out")
        columns = [places.column(name).cast(pa.int64()) for name in (FILE, ROW)]
        self._left_out.write(pa.RecordBatch.from_arrays(columns, schema=schema))

    def dead(self, batch: pa.RecordBatch) -> None:
        """Take rejected rows, with the columns that say why."""
        if self._dead is None:
            self._dead = PartWriter(self._folder, self._restore(batch.schema), prefix="dead")
        self._dead.write(batch)

    def stopped(self, rows: pa.RecordBatchReader, before: pa.Schema, rejects: Rejects) -> int:
        """Take rows that a transform could not convert, and say how many; ``before`` is the landed schema."""
        schema = marked(carry_metadata(before, rows.schema, rejects.origins), rejects.passed)
        writer = PartWriter(self._folder, schema, prefix=f"{STOPPED_PREFIX}-{len(self._stopped)}")
        self._stopped.append(writer)
        for batch in rows:
            writer.write(conform(batch, schema))
        return writer.rows

    def unread(self, batch: pa.RecordBatch) -> None:
        """Take records as JSON, with columns record, rule, reason."""
        if self._unread is None:
            self._unread = PartWriter(self._folder, batch.schema, prefix=UNREAD_PREFIX)
        self._unread.write(batch)

    def close(self) -> Outflow:
        """Make all durable."""
        dead = (self._dead, *self._stopped, self._unread)
        return Outflow(_closed(self._good), _closed(self._left_out), _closed(*dead))

    def abort(self) -> None:
        """Leave nothing behind."""
        for writer in (self._good, self._left_out, self._dead, *self._stopped, self._unread):
            if writer is not None:
                writer.abort()


def _closed(*writers: PartWriter | None) -> tuple[DataFile, ...]:
    return tuple(file for writer in writers if writer for file in writer.close())
