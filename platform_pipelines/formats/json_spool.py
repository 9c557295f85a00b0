"""Pages kept on disk, each in its own types, until the types of all of them are known.

Types are decided by ``json_types``; where pages come from is left to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.formats.workspace import Workspace

_ROWS = 65_536


class PageSpool:
    """A growing row of Arrow files; a page of another schema than the one before begins a new file.

    Args:
        workspace: where the files lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._files: list[Path] = []
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a page."""
        import pyarrow as pa

        known = self._schema is not None and batch.schema.equals(self._schema, check_metadata=True)
        if self._writer is None or not known:
            self.close()
            self._files.append(self._workspace.new(".arrow"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(str(self._files[-1]), batch.schema, options=options)
            self._schema = batch.schema
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Finish the file that is being written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def tables(self) -> Iterator[pa.Table]:
        """The pages in their order, small ones of one schema put together."""
        import pyarrow as pa

        self.close()
        for path in self._files:
            held: list[pa.RecordBatch] = []
            with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
                for batch in reader:
                    held.append(batch)
                    if sum(each.num_rows for each in held) >= _ROWS:
                        yield pa.Table.from_batches(held).combine_chunks()
                        held = []
                if held:
                    yield pa.Table.from_batches(held).combine_chunks()
