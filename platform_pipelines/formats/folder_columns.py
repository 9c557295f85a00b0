"""Columns that the names of folders hold, as in ``year=2026/country=at/part.parquet``.

The convention is Apache Hive's, and DuckDB reads it. Only folders below the connection's
root count: where the root lies says nothing about rows.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.rowsql import rows_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.workspace import Workspace


def united_rows(paths: Sequence[Path], files: Sequence[InputFile], workspace: Workspace) -> str:
    """The rows of Parquet files as a ``FROM`` item: columns by name, and those that folders name.

    Args:
        paths: where the files lie, unpacked ones in ``workspace``.
        files: the same files, as they were found.
        workspace: gets a link to the root where folders above it bear such names too.

    Raises:
        InvalidData: so do those above the workspace.
    """
    named = {_names(file) for file in files}
    if len(named) != 1 or named == {()} or any(file.path != path for file, path in zip(files, paths, strict=True)):
        return rows_in(paths, by_name=True)
    root = files[0].path
    for _ in PurePosixPath(files[0].label).parts:
        root = root.parent
    if _has_name(root):
        link = workspace.new("")
        if _has_name(link):
            msg = (
                f"Folders of {root} cannot be told from those above it, nor from those of the temporary folder: "
                "`column=value` stands for a column. Set TMPDIR to a folder of another name."
            )
            raise InvalidData(msg)
        link.symlink_to(root.absolute(), target_is_directory=True)
        paths = [link / file.label for file in files]
    return rows_in(paths, by_name=True, folders=True)


def _names(file: InputFile) -> tuple[str, ...]:
    """Of the columns that a file's folders name."""
    return tuple(part.partition("=")[0] for part in PurePosixPath(file.label).parts[:-1] if "=" in part)


def _has_name(path: Path) -> bool:
    return any("=" in part for part in path.absolute().parts)
