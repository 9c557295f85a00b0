"""Data files that a table folder's manifest lists and that are gone: nobody but a person removes them.

A load is refused, for what it would add to is not there, unless it is the way out itself: a new epoch replaces what its
feed had loaded, so it goes on without files of its own, and leaves those of other partitions to their own new epochs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from platform_pipelines.formats.folder_manifest import FolderManifest, LiveFile
    from platform_pipelines.model import Load

_SHOWN = 3


def without_missing(
    folder: Path, manifest: FolderManifest, names: frozenset[str], load: Load
) -> tuple[FolderManifest, list[LiveFile]]:
    """The manifest of the files that are there, and the missing ones that stay listed.

    Args:
        folder: the table's.
        manifest: what it should hold.
        names: of the files that it holds.
        load: what is about to be loaded.

    Raises:
        InvalidData: files are missing that this load does not replace; naming the first and the next step.
    """
    there, missing = _split(manifest.files, names)
    if not missing:
        return manifest, []
    whole = load.mode == "replace" and load.feed.partition is None
    replaces = load.fresh and load.mode in {"append", "merge", "replace"}
    left = [file for file in missing if not (replaces and (whole or file.feed == load.feed.id))]
    again = replaces and load.previous is not None
    if left and not (again and all(_pipeline(file) == load.feed.pipeline for file in left)):
        raise missing_error(folder, missing)
    return replace(manifest, files=tuple(there)), left


def missing_error(folder: Path, missing: Sequence[LiveFile]) -> InvalidData:
    """The error for files that are gone."""
    first = missing[0]
    many = f"{len(missing)} files are gone that its manifest lists, the first" if missing[1:] else "a file is gone:"
    commands = [_anew(feed) for feed in dict.fromkeys(file.feed for file in missing)]
    listed = ", ".join(commands[:_SHOWN]) + (", …" if commands[_SHOWN:] else "")
    alone = len({_pipeline(file) for file in missing}) == 1
    anew = f"load it anew: {listed}" if alone else f"remove the folder and run each pipeline that loads it: {listed}"
    return InvalidData(
        f"Table folder {folder}: {many} {first.name} ({first.rows} rows of {first.feed}). Nothing was written. "
        f"Put it back, or {anew}."
    )


def _split(files: Iterable[LiveFile], names: frozenset[str]) -> tuple[list[LiveFile], list[LiveFile]]:
    """Files that are there, and files that are not."""
    there: list[LiveFile] = []
    missing: list[LiveFile] = []
    for file in files:
        (there if file.name in names else missing).append(file)
    return there, missing


def _anew(feed: str) -> str:
    """The command that loads a feed anew; all partitions at once would begin with those that were never loaded."""
    missing = Feed.of_id(feed)
    return f"`pipelines run {missing.pipeline} --full-refresh{missing.option}`"


def _pipeline(file: LiveFile) -> str:
    return Feed.of_id(file.feed).pipeline
