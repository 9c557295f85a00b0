"""The rows of a table folder, read back as they were loaded.

Which files are live, and whose they are, is up to the folder's manifest; loading
them is left to ``folder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.formats.folder_manifest import read_manifest
from platform_pipelines.formats.inputs import InputFile, check_inside, check_relative
from platform_pipelines.formats.parquet_read import ParquetRead
from platform_pipelines.formats.text_read import TextRead
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import Stream, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.formats.reads import Format
    from platform_pipelines.model import Feed


def held_rows(  # noqa: PLR0913 - where in four parts, what in two
    root: Path, table: str, file_format: Format, options: TextOptions, *, columns: Sequence[str], but: Feed | None
) -> Iterator[pa.RecordBatch]:
    """The table's rows, without those of the files that a feed brought.

    Args:
        root: the connection's folder.
        table: the table's folder, relative to it.
        file_format: of its files.
        options: how text files are written.
        columns: the columns wanted; those that it lacks are left out.
        but: the feed whose rows are left out; None for none.

    Raises:
        InvalidData: the table lies outside the root.
        StoreCorrupt: its manifest is not readable.
    """
    check_relative(table, "Table")
    folder = root / table
    check_inside(root, folder, table)
    manifest = read_manifest(folder)
    files = [_input(folder, live.name) for live in manifest.files if but is None or live.feed != but.id]
    if not files:
        return
    if file_format == "parquet":
        read: ParquetRead | TextRead = ParquetRead(files, options, Workspace())
    else:
        stream = Stream(table, expected=manifest.schema(), type_changes="fail")
        read = TextRead(files, file_format, options, stream)
    try:
        wanted = [name for name in columns if name in read.schema.names]
        for batch in read.rows(Window()) if wanted else ():
            yield batch.select(wanted)
    finally:
        read.close()


def _input(folder: Path, name: str) -> InputFile:
    stat = (folder / name).stat()
    return InputFile(name, folder / name, None, stat.st_size, stat.st_mtime_ns)
