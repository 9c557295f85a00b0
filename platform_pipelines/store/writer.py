"""Writes record batches to Parquet parts in bounded memory, in the background.

Parts are durable once :meth:`PartWriter.close` returns; they belong to nothing
until a manifest or a verdict names them.
"""

from __future__ import annotations

import hashlib
import io
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from platform_pipelines import durable
from platform_pipelines.errors import InvalidData
from platform_pipelines.store import effects
from platform_pipelines.store.manifest import DataFile
from platform_pipelines.timeunits import cast_batch, parquet_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

#: rows of a Parquet row group at most: DuckDB's own default, the unit it reads in parallel
ROW_GROUP_ROWS = 122_880
#: bytes after which a new part is begun
PART_BYTES = 256_000_000


class PartWriter:
    """Parquet parts of one schema in one folder.

    Args:
        folder: where the parts go; created.
        schema: Arrow schema of all batches.
        prefix: file name prefix of the parts.
        buffer_bytes: bytes of rows held before a row group is written.
        flush_seconds: seconds after which held rows are written anyway.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        *,
        prefix: str = "part",
        buffer_bytes: int = 50_000_000,
        flush_seconds: float = 600.0,
    ) -> None:
        self._folder = folder
        self._schema = parquet_schema(schema)
        self._changes = self._schema != schema
        self._prefix = prefix
        self._buffer_bytes = buffer_bytes
        self._flush_seconds = flush_seconds
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0
        self._held_bytes = 0
        self._held_since = 0.0
        self._queue: queue.Queue[pa.Table | None] = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._files: list[DataFile] = []
        self._thread: threading.Thread | None = None
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch.

        Raises:
            ConnectError: the background writer failed (disk full, folder gone).
            InvalidData: a timestamp is beyond what Parquet keeps.
        """
        self._raise_background_error()
        if batch.num_rows == 0:
            return
        if not self._held:
            self._held_since = time.monotonic()
        self._held.append(self._storable(batch) if self._changes else batch)
        self.rows += batch.num_rows
        self._held_rows += batch.num_rows
        self._held_bytes += batch.nbytes
        if self._full():
            self._hand_over()

    def close(self) -> tuple[DataFile, ...]:
        """Write what is held, sync everything, and name the files.

        Raises:
            ConnectError: writing failed; nothing refers to the parts.
        """
        if self._held:
            self._hand_over()
        self._stop()
        self._raise_background_error()
        if self._files:
            with effects.named_errors(self._folder):
                effects.sync_folder(self._folder)
        return tuple(self._files)

    def abort(self) -> None:
        """Stop and remove the folder."""
        self._stop()
        effects.remove(self._folder)

    def _storable(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch in the units that Parquet has.

        Raises:
            InvalidData: a timestamp lies beyond them.
        """
        import pyarrow as pa

        try:
            return cast_batch(batch, self._schema)
        except pa.ArrowInvalid as error:
            msg = (
                f"A timestamp cannot be kept in Parquet: {error}. Correct it where it comes from, or make text of its "
                "column, in the query that reads it or by a transform."
            )
            raise InvalidData(msg) from error

    def _full(self) -> bool:
        return (
            self._held_rows >= ROW_GROUP_ROWS
            or self._held_bytes >= self._buffer_bytes
            or time.monotonic() - self._held_since >= self._flush_seconds
        )

    def _hand_over(self) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self._held, self._schema)
        self._held, self._held_rows, self._held_bytes = [], 0, 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="parquet-writer", daemon=True)
            self._thread.start()
        self._queue.put(table)

    def _stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _raise_background_error(self) -> None:
        if self._error is not None:
            with effects.named_errors(self._folder):
                raise self._error

    def _work(self) -> None:
        part: _Part | None = None
        try:
            while (table := self._queue.get()) is not None:
                if self._error is not None:
                    continue  # keep draining, so that the caller never blocks on a full queue
                try:
                    part = self._write_table(part, table)
                except BaseException as error:  # noqa: BLE001 - handed to the caller's thread as it is
                    self._error = error
            if part is not None and self._error is None:
                self._files.append(part.finish())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread as it is
            self._error = error

    def _write_table(self, part: _Part | None, table: pa.Table) -> _Part | None:
        if part is None:
            effects.make_folder(self._folder)
            part = _Part(self._folder, f"{self._prefix}-{len(self._files):05d}.parquet", self._schema)
        part.write(table)
        if part.size >= PART_BYTES:
            self._files.append(part.finish())
            return None
        return part


class _Part:
    """One open Parquet file that counts and hashes what is written."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = folder / name
        self._name = f"{folder.name}/{name}"
        self._sink = _HashingSink(self._path)
        sink = pa.PythonFile(self._sink, mode="w")
        texts = _texts(schema)
        with durable.effect("write", self._path):
            self._writer: pq.ParquetWriter = pq.ParquetWriter(
                sink,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=texts,  # type: ignore[arg-type]  # the stubs know no list
                # the least and the greatest text cost a tenth of the writing time and seldom spare a row group
                write_statistics=[name for name in schema.names if name not in texts],
            )
        self._rows = 0

    @property
    def size(self) -> int:
        return self._sink.size

    def write(self, table: pa.Table) -> None:
        with durable.effect("write", self._path):
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._rows += table.num_rows

    def finish(self) -> DataFile:
        with durable.effect("write", self._path):
            self._writer.close()
            self._sink.close()
        effects.sync_file(self._path)
        return DataFile(self._name, self._rows, self._sink.size, self._sink.digest.hexdigest())


def _texts(schema: pa.Schema) -> list[str]:
    """The columns worth a dictionary: of numbers and times it only costs a fifth of the writing time."""
    import pyarrow.types as t

    return [field.name for field in schema if t.is_string(field.type) or t.is_large_string(field.type)]


class _HashingSink(io.RawIOBase):
    """A write-only file that counts and hashes on the way."""

    def __init__(self, path: Path) -> None:
        self._file = durable.create(path)
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer pyarrow hands over
        view = memoryview(data)
        self.digest.update(view)
        self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    def close(self) -> None:
        self._file.close()
        super().close()

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True
