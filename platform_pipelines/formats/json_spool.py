"""Pages kept, each in its own types, until the types of all of them are known.

Types are decided by ``json_types``; where pages come from is left to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.formats.workspace import Workspace

_ROWS = 65_536
#: bytes that are kept in memory before files are begun
_HELD = 32_000_000


class PageSpool:
    """Pages in memory until they are many, then in Arrow files, where each change of the schema begins a new one.

    Args:
        workspace: where the files lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._files: list[Path] = []
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a page."""
        self._bytes += batch.nbytes
        if self._bytes <= _HELD:
            self._held.append(batch)
        else:
            self._write(batch)

    def close(self) -> None:
        """Finish the file that is being written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def tables(self) -> Iterator[pa.Table]:
        """The pages in their order, small ones of one schema put together."""
        import pyarrow as pa

        self.close()
        yield from _together(self._held)
        for path in self._files:
            with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
                yield from _together(reader)

    def _write(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        if self._writer is None or not alike(batch.schema, self._schema):
            self.close()
            self._files.append(self._workspace.new(".arrow"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(str(self._files[-1]), batch.schema, options=options)
            self._schema = batch.schema
        self._writer.write_batch(batch)


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of some size, each of batches of one schema."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and not alike(batch.schema, held[0].schema):
            yield pa.Table.from_batches(held).combine_chunks()
            held = []
        held.append(batch)
        if sum(each.num_rows for each in held) >= _ROWS:
            yield pa.Table.from_batches(held).combine_chunks()
            held = []
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def alike(one: pa.Schema, other: pa.Schema | None) -> bool:
    """Whether two schemas are the same, kinds of values included."""
    return other is not None and one.equals(other, check_metadata=True)
