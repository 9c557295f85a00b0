"""Writes records of text to Parquet files in a workspace, so that DuckDB can check and cast them.

Columns may appear at any time: a new one begins a new file. Parsing is left to
the readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow.parquet as pq

    from platform_pipelines.formats.workspace import Workspace

#: columns that every spooled record has beside its own
LINE = "_pipelines_line"
FILE = "_pipelines_file"
_ROWS = 20_000
_CHARACTERS = 16_000_000


class Spool:
    """A growing set of Parquet files of one logical table of text.

    Args:
        workspace: where the files lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.files: list[Path] = []
        self.columns: dict[str, None] = {}
        self._workspace = workspace
        self._rows: list[tuple[str, int, Sequence[str], Sequence[str | None]]] = []
        self._held = 0
        self._writer: pq.ParquetWriter | None = None
        self._written: tuple[str, ...] | None = None

    def add(self, file: str, line: int, names: Sequence[str], values: Sequence[str | None], size: int) -> None:
        """Add a record.

        Args:
            file: label of its file.
            line: its first line, counted from 1.
            names: the columns it has; others are NULL. Fastest where records share one object.
            values: their text.
            size: characters of it, about.
        """
        self._rows.append((file, line, names, values))
        self._held += size
        if len(self._rows) >= _ROWS or self._held >= _CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Write what is held and finish the files."""
        self._flush(last=True)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _flush(self, *, last: bool = False) -> None:
        import pyarrow as pa

        if not self._rows and not (last and not self.files):
            return
        for names in {id(row[2]): row[2] for row in self._rows}.values():
            self.columns.update(dict.fromkeys(names))
        names = tuple(self.columns)
        arrays: list[pa.Array[Any]] = [pa.array(column, pa.string()) for column in self._by_column(names)]
        arrays += [
            pa.array([f for f, *_ in self._rows], pa.string()),
            pa.array([n for _, n, *_ in self._rows], pa.int64()),
        ]
        batch = pa.RecordBatch.from_arrays(arrays, names=[*names, FILE, LINE])
        self._writer_for(names, batch.schema).write_batch(batch)
        self._rows, self._held = [], 0

    def _by_column(self, names: tuple[str, ...]) -> Iterable[Sequence[str | None]]:
        if not self._rows:
            return [[] for _ in names]
        if all(row[2] is self._rows[0][2] for row in self._rows) and len(self._rows[0][2]) == len(names):
            return zip(*(row[3] for row in self._rows), strict=True)
        rows = [dict(zip(row[2], row[3], strict=True)) for row in self._rows]
        return [[row.get(name) for row in rows] for name in names]

    def _writer_for(self, names: tuple[str, ...], schema: object) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        if self._writer is None or names != self._written:
            if self._writer is not None:
                self._writer.close()
            self.files.append(self._workspace.new(".parquet"))
            self._writer = pq.ParquetWriter(self.files[-1], schema, compression="lz4")  # type: ignore[arg-type]
            self._written = names
        return self._writer
