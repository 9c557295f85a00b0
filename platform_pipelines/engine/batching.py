"""Pages of a source become batches in the log, each committed by its manifest.

The watermark moves only in a manifest that is written after its rows are
durable. When to read, and what, is left to ``landing`` and ``extract``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from platform_pipelines.cursor import kind_of
from platform_pipelines.engine import window as windows
from platform_pipelines.engine.context import Progress, stamp
from platform_pipelines.engine.extract import boundary_of
from platform_pipelines.engine.forgetting import Owed
from platform_pipelines.engine.offsets import check_follows
from platform_pipelines.engine.report import Landed
from platform_pipelines.engine.tally import Tally
from platform_pipelines.engine.unmoved import unmoved
from platform_pipelines.engine.unread import write_unread
from platform_pipelines.engine.zones import zones_of
from platform_pipelines.errors import CursorError
from platform_pipelines.kernels import call
from platform_pipelines.model import Offset
from platform_pipelines.store import Manifest
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.engine.context import Context
    from platform_pipelines.engine.extract import Extract
    from platform_pipelines.model import Page, Rejected
    from platform_pipelines.store import FeedLog

#: transforms that need the whole extract at once: with one of these an extract is one batch
WHOLE_BATCH_TRANSFORMS = frozenset({"aggregate", "sql", "function"})


class Landing:
    """One extract on its way into the log."""

    def __init__(self, context: Context, log: FeedLog, extract: Extract) -> None:
        self._context = context
        self._log = log
        self._extract = extract
        self._boundary = boundary_of(context, extract)
        self._sequence = extract.sequence
        self._totals = Tally()
        self._batch = Tally()
        self._schema: pa.Schema | None = None
        self._writer: PartWriter | None = None
        self._rejects: list[Rejected] = []
        self._pages = 0
        spec = context.pipeline
        whole = any(transform.kind in WHOLE_BATCH_TRANSFORMS for transform in spec.transforms)
        whole = whole or any(rule.type == "unique" for rule in spec.quality.rules)
        # an ordinary read could not go on where a window's broke off: it asks another question
        whole = whole or extract.kind == "window"
        self._checkpoint_pages = None if whole else spec.source.checkpoint_pages

    def take(self, page: Page) -> None:
        """Take one page; commit a checkpoint where one is due and safe."""
        for batch in page.batches:
            self._take_batch(batch)
        self._take_rejected(page.rejected)
        self._pages += 1
        total = self._totals.rows + self._batch.rows
        self._context.report(Progress("extract", self._log.feed, total, self._totals.bytes + self._batch.bytes))
        due = self._checkpoint_pages and self._pages >= self._checkpoint_pages
        if due and page.resume is not None and (self._batch.rows or self._batch.rejected):
            self._commit(complete=False, resume=page.resume)

    def finish(self) -> Landed:
        """Commit what is left; an incremental read that found nothing commits nothing."""
        begins = self._extract.begins_epoch and not self._totals.batches
        interrupted = self._totals.batches > 0 or self._extract.resume is not None
        if self._batch.rows or self._batch.rejected or begins or interrupted:
            self._commit(complete=True, resume=None)
        else:
            self._totals.add(self._batch)
        totals = self._totals
        return Landed(
            feed=self._log.feed,
            batches=totals.batches,
            rows=totals.rows,
            read=totals.read,
            deduplicated=totals.deduplicated,
            filtered=totals.skipped,
            rejected=totals.rejected,
            bytes=totals.bytes if totals.batches else 0,
            watermark_from=self._extract.watermark,
            watermark_to=self._watermark(),
            schema=self._schema,
        )

    def owed(self) -> Owed:
        """Which rows the next read meets again, once all is read."""
        left = self._boundary.leave(self._watermark(), complete=True)
        return Owed(left, self._boundary.columns, self._boundary.unmet)

    def abort(self) -> None:
        """Leave nothing behind but committed batches, and what the next run sweeps away."""
        if self._writer is not None:
            self._writer.abort()

    def _take_rejected(self, rejected: Sequence[Rejected]) -> None:
        self._batch.read += len(rejected)
        fresh = self._boundary.drop_known_records(rejected) if self._extract.tracked else list(rejected)
        self._batch.deduplicated += len(rejected) - len(fresh)
        self._batch.rejected += len(fresh)
        self._rejects.extend(fresh)

    def _take_batch(self, batch: pa.RecordBatch) -> None:
        self._batch.read += batch.num_rows
        self._batch.bytes += batch.nbytes
        if not self._schema and batch.schema.names:
            self._schema = batch.schema
            self._check_cursor(batch.schema)
        if batch.num_rows == 0:
            return
        if self._extract.tracked:
            batch = self._follow(batch, self._extract.tracked)
        self._batch.rows += batch.num_rows
        if batch.num_rows:
            self._part_writer().write(batch)

    def _follow(self, batch: pa.RecordBatch, field: str) -> pa.RecordBatch:
        batch = self._without_missing(batch, field)
        rows = batch.num_rows
        batch = self._boundary.drop_known(batch, self._extract.watermark)
        self._batch.deduplicated += rows - batch.num_rows
        if batch.num_rows:
            self._boundary.observe(batch)
        return batch

    def _without_missing(self, batch: pa.RecordBatch, field: str) -> pa.RecordBatch:
        column, on_missing = batch.column(field), self._extract.window.on_missing
        no_number = call("sum", call("is_nan", column)).as_py() if kind_of(column.type) == "float" else 0
        missing = column.null_count + (no_number or 0)
        if not missing or (on_missing == "include" and not no_number):
            return batch
        if on_missing != "skip":
            include = "" if no_number else "`include` (read such rows every time) or "
            msg = (
                f"Cursor `{field}` of stream `{self._extract.stream.name}` is {'NaN' if no_number else 'NULL'} in "
                f"{missing} of {batch.num_rows} rows of a page. Allowed: mend the source, or declare as "
                f"`cursor.on_missing` {include}`skip` (leave them out, counted)."
            )
            raise CursorError(msg)
        self._batch.skipped += missing
        return batch.filter(call("invert", column.is_null(nan_is_null=True)))

    def _check_cursor(self, schema: pa.Schema) -> None:
        field, cursor = self._extract.tracked, self._context.pipeline.source.cursor
        if field is None or cursor is None:
            return
        if field not in schema.names:
            msg = (
                f"Cursor `{field}` is not a column of stream `{self._extract.stream.name}`. "
                f"Columns: {', '.join(schema.names)}."
            )
            raise CursorError(msg)
        found = kind_of(schema.field(field).type)
        windows.check_kind(found, cursor, self._extract.previous, self._extract.stream.name)

    def _watermark(self) -> Cursor | None:
        before, high = self._extract.watermark, self._boundary.high
        if self._extract.kind == "window" or high is None:
            return before
        return high if before is None or high.at_least(before) else before

    def _commit(self, *, complete: bool, resume: object) -> None:
        if not self._totals.batches:
            check_follows(self._context, self._log, Offset(self._extract.epoch, self._sequence))
        files = self._writer.close() if self._writer else ()
        rejects = write_unread(self._attempt_folder(), self._rejects) if self._rejects else ()
        watermark = self._watermark() if complete else self._extract.watermark
        manifest = Manifest(
            feed=self._log.feed,
            epoch=self._extract.epoch,
            sequence=self._sequence,
            token=self._context.token,
            run_id=self._context.run_id or self._context.token,
            created_at=stamp(),
            kind=self._extract.kind,
            complete=complete,
            files=files,
            rejects=rejects[0] if rejects else None,
            read=self._batch.read,
            deduplicated=self._batch.deduplicated,
            skipped=self._batch.skipped,
            cursor_low=self._boundary.low,
            cursor_high=self._boundary.high,
            watermark=watermark,
            boundary=self._boundary.leave(watermark, complete=complete) if self._extract.tracked else {},
            columns=self._boundary.columns,
            resume=resume,
            schema=self._known_schema(),
            zones=zones_of(self._context.pipeline, self._schema, self._extract.previous),
        )
        if self._extract.kind == "window":
            manifest = dataclasses.replace(manifest, **unmoved(self._extract.previous))
        self._writer = None  # an interrupt may come behind the commit, and its files are not to be given up then
        self._log.commit(manifest)
        self._batch.batches = 1
        self._batch.bytes = manifest.size
        self._totals.add(self._batch)
        self._batch, self._rejects, self._pages = Tally(), [], 0
        self._sequence += 1

    def _known_schema(self) -> pa.Schema | None:
        """The columns that came, or those of last time where none came: an empty answer has no types."""
        previous = self._extract.previous
        known = self._schema or (previous.schema if previous else None)
        return known or self._context.project.store.schemas(self._context.pipeline.name).latest()

    def _part_writer(self) -> PartWriter:
        if self._writer is None:
            destinations = self._context.pipeline.destinations
            assert self._schema is not None  # noqa: S101 - set before the first row
            self._writer = PartWriter(
                self._attempt_folder(),
                self._schema,
                buffer_bytes=int(min((d.buffer_size for d in destinations), default=50) * 1_000_000),
                flush_seconds=min((d.buffer_flush_timeout for d in destinations), default=600.0),
            )
        return self._writer

    def _attempt_folder(self) -> Path:
        return self._log.attempt_folder(self._extract.epoch, self._sequence)
