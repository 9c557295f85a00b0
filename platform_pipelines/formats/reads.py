"""Opens a stream's files for reading, and keeps the last parsed read for its next windows.

Parsing is left to ``text_read`` and ``parquet_read``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from platform_pipelines.formats.folder_manifest import MANIFEST, read_manifest
from platform_pipelines.formats.inputs import InputFile, check_inside, check_relative, data_files, find_inputs, fits
from platform_pipelines.formats.parquet_read import ParquetRead
from platform_pipelines.formats.text_read import TextRead
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.model import Rejected, Stream, Window

Format = Literal["parquet", "csv", "jsonl", "json"]
_MOST_STREAMS = 1_000


@dataclass(slots=True)
class Read:
    """One opened stream.

    Attributes:
        files: what is read, in order.
        schema: Arrow schema of the rows.
    """

    files: list[InputFile]
    schema: pa.Schema
    _reader: TextRead | ParquetRead | None

    def rows(self, window: Window) -> Iterator[pa.RecordBatch]:
        """The rows of the window."""
        if self._reader is not None:
            yield from self._reader.rows(window)
        elif self.schema:
            import pyarrow as pa

            yield pa.RecordBatch.from_arrays([pa.array([], f.type) for f in self.schema], schema=self.schema)

    def rejected(self, window: Window) -> Iterator[Rejected]:
        """The records of the window that cannot be read."""
        return self._reader.rejected(window) if self._reader else iter(())

    def relation(self) -> str:
        """SQL of all rows, to be read by :meth:`cursor`; empty if there are no files or columns."""
        return self._reader.relation() if self._reader else ""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection that can read :meth:`relation`."""
        assert self._reader is not None  # noqa: S101 - there is a relation
        return self._reader.cursor()

    def count(self) -> int | None:
        """Rows of all files, where it is cheap to know."""
        return self._reader.count() if isinstance(self._reader, ParquetRead) else None

    def spool(self) -> None:
        """Keep the parsed rows for further windows."""
        if self._reader:
            self._reader.spool()

    def close(self) -> None:
        """Remove temporary files."""
        if self._reader:
            self._reader.close()


class ReadCache:
    """Keeps the read that was used last; one whose files, options or types changed is made anew."""

    def __init__(self) -> None:
        self._key: object = None
        self._expected: pa.Schema | None = None
        self._read: Read | None = None

    def get(self, root: Path, file_format: Format, options: TextOptions, stream: Stream) -> Read:
        """The read of a stream, parsed and spooled."""
        files, _ = _files(root, stream.name, file_format)
        key = (tuple(files), file_format, options.model_dump_json(), stream.type_changes)
        if self._read is None or key != self._key or not self._gives(stream.expected):
            self._read = None  # not closed: another thread may be reading it; its files go with the last reference
            self._read = open_read(root, file_format, options, stream)
            self._read.spool()
            self._key, self._expected = key, stream.expected
        return self._read

    def _gives(self, expected: pa.Schema | None) -> bool:
        """Whether a read that expects this schema would give what the kept one gives.

        The types that the kept read found are those landed by the first of its
        partitions, and expected for the next ones: all its values fit them.
        """
        if expected is None or self._read is None:
            return self._expected is None
        known = self._read.schema if self._expected is None else self._expected
        return bool(expected.equals(known, check_metadata=True))


def open_read(root: Path, file_format: Format, options: TextOptions, stream: Stream) -> Read:
    """Open a stream: a folder that loads are committed to by its manifest, anything else by its files.

    Raises:
        InvalidData: there are no such files, or they cannot be read.
        SchemaDrift: see ``TextRead``.
    """
    files, live = _files(root, stream.name, file_format)
    if live is not None and not files:
        return Read(files, live, None)
    if live is not None and stream.expected is None:
        stream = replace(stream, expected=live)
    if file_format == "parquet":
        parquet = ParquetRead(files, options, Workspace())
        return Read(files, parquet.schema, parquet)
    text = TextRead(files, file_format, options, stream)
    return Read(files, text.schema, text)


def list_streams(root: Path, file_format: Format) -> list[StreamInfo]:
    """The files in a folder, and the folders in it that hold files of the format, by name."""
    found: dict[str, StreamInfo] = {}
    for path in data_files(root) if root.is_dir() else ():
        parts = path.relative_to(root).parts
        if len(found) < _MOST_STREAMS and (fits(path.name, file_format) or path.suffix == ".zip"):
            name = parts[0] if len(parts) == 1 else "/".join(parts[:-1])
            if name not in found:
                found[name] = StreamInfo(name, _schema_of(path, file_format))
    return sorted(found.values(), key=lambda info: info.name)


def _schema_of(path: Path, file_format: Format) -> pa.Schema | None:
    if file_format != "parquet" or path.suffix == ".zip":
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError):
        return None


def _files(root: Path, name: str, file_format: Format) -> tuple[list[InputFile], pa.Schema | None]:
    """The files of a stream; with the schema of the table, where the stream is a table folder."""
    check_relative(name, "Stream")
    folder = root / name
    if not (folder / MANIFEST).is_file():
        return find_inputs(root, name, file_format), None
    check_inside(root, folder, name)
    manifest = read_manifest(folder)
    files = []
    for live in manifest.files:
        stat = (folder / live.name).stat()
        label = (folder / live.name).relative_to(root).as_posix()
        files.append(InputFile(label, folder / live.name, None, stat.st_size, stat.st_mtime_ns))
    return sorted(files), manifest.schema()
