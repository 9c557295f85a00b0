"""The rows of a table folder, read back as they were loaded.

Which files are live, and whose they are, is up to the folder's manifest; loading
them is left to ``folder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.formats.folder_manifest import read_manifest
from platform_pipelines.formats.folder_missing import missing_error
from platform_pipelines.formats.inputs import InputFile, check_inside, check_relative
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.own_text import typed_copy
from platform_pipelines.formats.parquet_read import ParquetRead
from platform_pipelines.formats.workspace import Workspace
from platform_pipelines.model import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.formats.folder_manifest import FolderManifest, LiveFile
    from platform_pipelines.model import Feed


def held_rows(
    root: Path, table: str, options: TextOptions, *, columns: Sequence[str], but: Feed | None
) -> Iterator[pa.RecordBatch]:
    """The table's rows, without those of the files that a feed brought.

    Args:
        root: the connection's folder.
        table: the table's folder, relative to it.
        options: how text files are written.
        columns: the columns wanted; those that it lacks are left out.
        but: the feed whose rows are left out; None for none.

    Raises:
        InvalidData: the table lies outside the root, or a file of it is gone or cannot be read.
        StoreCorrupt: its manifest is not readable.
    """
    check_relative(table, "Table")
    folder = root / table
    check_inside(root, folder, table)
    manifest = read_manifest(folder)
    live = [file for file in manifest.files if but is None or file.feed != but.id]
    if not live:
        return
    names = {path.name for path in folder.iterdir()}
    if missing := [file for file in live if file.name not in names]:
        raise missing_error(folder, missing)
    workspace = Workspace()
    try:
        paths = [_as_parquet(folder, file, manifest, options, workspace) for file in live]
        yield from _selected([_input(path) for path in paths], columns)
    finally:
        workspace.close()


def _as_parquet(
    folder: Path, file: LiveFile, manifest: FolderManifest, options: TextOptions, workspace: Workspace
) -> Path:
    if file.name.endswith(".parquet"):
        return folder / file.name
    return typed_copy(file, folder, manifest, options, workspace)


def _selected(files: Sequence[InputFile], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    read = ParquetRead(files, TextOptions(), Workspace())
    try:
        wanted = [name for name in columns if name in read.schema.names]
        for batch in read.rows(Window()) if wanted else ():
            yield batch.select(wanted)
    finally:
        read.close()


def _input(path: Path) -> InputFile:
    stat = path.stat()
    return InputFile(path.name, path, None, stat.st_size, stat.st_mtime_ns)
