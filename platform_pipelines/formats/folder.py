"""A table as a folder of files, committed by one manifest: atomic loads, exactly once.

A load writes its files aside, makes them durable, renames them into the folder,
then replaces the manifest; only what the manifest lists is live. Which rows
survive a merge is left to ``folder_merge``, encoding to ``writer``.
"""

from __future__ import annotations

import contextlib
import fcntl
from dataclasses import replace
from typing import TYPE_CHECKING

from platform_pipelines import durable
from platform_pipelines.errors import ConnectError, InvalidData, OffsetConflict
from platform_pipelines.formats.folder_manifest import (
    FolderManifest,
    LiveFile,
    is_ours,
    read_manifest,
    write_manifest,
)
from platform_pipelines.formats.folder_merge import merge, rewritten
from platform_pipelines.formats.folder_missing import without_missing
from platform_pipelines.formats.inputs import check_inside, check_relative
from platform_pipelines.formats.table_form import TableForm
from platform_pipelines.formats.versions import kept_columns, lost_columns, unified, without
from platform_pipelines.formats.writer import TMP, Writer, link_files
from platform_pipelines.model import LoadPlan, Receipt
from platform_pipelines.sql.columnnames import check_beside, check_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from platform_pipelines.formats.options import TextOptions
    from platform_pipelines.model import Feed, Load, Offset

_LOCK = "_pipelines_loads.lock"


class TableFolder:
    """A table below a root.

    Args:
        root: the connection's folder.
        table: the table's folder, relative to it.
        file_format: of new files.
        options: how text files are written.

    Raises:
        InvalidData: the table lies outside the root.
    """

    def __init__(self, root: Path, table: str, file_format: str, options: TextOptions) -> None:
        check_relative(table, "Table")
        self.path = root / table
        check_inside(root, self.path, table)
        self._format = file_format
        self._options = options

    def offset(self, feed: Feed) -> Offset | None:
        """The last batch of the feed that the manifest lists."""
        return read_manifest(self.path).offset(feed)

    def offsets(self, pipeline: str) -> dict[str, Offset]:
        """The last batch of each of a pipeline's feeds that the manifest lists, by feed."""
        return read_manifest(self.path).of_pipeline(pipeline)

    def tidy(self) -> None:
        """Remove files that are not live, unless a load is under way, which does so itself."""
        if not _leftovers(read_manifest(self.path), self._names()):
            return
        with contextlib.suppress(BlockingIOError), self._locked(wait=False):
            self._sweep(read_manifest(self.path), self._names())

    def changes(self, load: Load) -> LoadPlan:
        """The columns that the load would add or widen, and those whose values it would lose, in words.

        Besides, which files it would write anew as the connection has changed.
        """
        manifest = read_manifest(self.path)
        known = manifest.schema()
        lost = lost_columns(known, replace(load, allow_destructive=True))
        words = tuple(f"re-create column {name} as {load.schema.field(name).type}" for name in lost)
        kept = without(_kept_schema(load), lost)
        if kept is None:
            return LoadPlan((), words)
        ddl = _changes(without(known, lost), kept)
        form = TableForm.of(self._format, self._options, unified(without(known, lost), kept).names)
        return LoadPlan(ddl, words, _written_anew(manifest, load, form))

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Commit rows and offset together.

        Raises:
            OffsetConflict: the manifest does not say ``load.previous``.
            InvalidData: a column's old and new types have no common type, or a live file is gone.
            ConnectError: the folder cannot be written.
        """
        try:
            durable.make_folder(self.path)
            with self._locked():
                return self._load(load, batches)
        except OSError as error:
            msg = (
                f"The table folder {self.path} cannot be written: {error}. Nothing was loaded. "
                "Make room, change its permissions, or mend `root`."
            )
            raise ConnectError(msg) from error

    def _load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        manifest = read_manifest(self.path)
        stored = manifest.offset(load.feed)
        if stored != load.previous:
            msg = (
                f"Table {self.path} holds {stored} of feed {load.feed.id!r}, not {load.previous}: another run loaded "
                "first. Run again."
            )
            raise OffsetConflict(msg)
        names = self._names()
        manifest, absent = without_missing(self.path, manifest, names, load)
        self._sweep(manifest, names)
        lost = lost_columns(manifest.schema(), load)
        brought, known = _kept_schema(load), without(manifest.schema(), lost)
        check_names(brought.names)
        check_beside(brought.names, known.names if known else (), load.table)
        schema = unified(known, brought)  # before anything is written
        form = TableForm.of(self._format, self._options, schema.names)
        if form.delimiter and (problem := self._options.unwritable()):
            raise InvalidData(problem)
        writer = Writer(self.path, load, manifest, form, self._options)
        if load.mode in {"append", "replace"} or _is_first(manifest, load):
            kept = rewritten(_kept(manifest, load), manifest, lost, writer)
            rows = self._write_all(load, batches, writer)
            receipt = Receipt(staged=rows, loaded=rows)
        else:
            kept, receipt = merge(manifest, load, batches, writer, lost)
        after = manifest.after(load, [*kept, *absent, *writer.files], schema, receipt.loaded, writer.form)
        return self._commit(load, after, writer, receipt)

    def _write_all(self, load: Load, batches: pa.RecordBatchReader, writer: Writer) -> int:
        plain = kept_columns(load) == load.schema.names
        if load.stored.whole and plain and self._format == "parquet":
            return link_files(load, writer)
        for batch in batches:
            writer.write(batch.select(kept_columns(load)))
        writer.finish()
        return writer.rows

    def _commit(
        self,
        load: Load,
        after: FolderManifest,
        writer: Writer,
        receipt: Receipt,
    ) -> Receipt:
        for file in writer.files:
            durable.rename(self.path / f"{TMP}{file.name}", self.path / file.name)
        durable.sync(self.path)
        changed = self.changes(load)
        write_manifest(self.path, after)
        self._sweep(after, self._names())
        size = sum(file.bytes for file in writer.files)
        return Receipt(receipt.staged, receipt.loaded, receipt.superseded, size, changed.ddl + changed.destructive)

    def _sweep(self, manifest: FolderManifest, names: frozenset[str]) -> None:
        """Remove files of loads that were not committed or are replaced; never a file with another name."""
        for name in _leftovers(manifest, names):
            durable.unlink(self.path / name)

    def _names(self) -> frozenset[str]:
        """What the folder holds, by one listing."""
        return frozenset(path.name for path in self.path.iterdir()) if self.path.is_dir() else frozenset()

    @contextlib.contextmanager
    def _locked(self, *, wait: bool = True) -> Iterator[None]:
        with (self.path / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield


def _leftovers(manifest: FolderManifest, names: frozenset[str]) -> list[str]:
    live = {file.name for file in manifest.files}
    return sorted(name for name in names - live if is_ours(name))


def _is_first(manifest: FolderManifest, load: Load) -> bool:
    """Whether a merge meets no rows, so that all of its own are simply written."""
    deletes = load.delete_field is not None and load.delete_action == "hard"
    return load.mode == "merge" and not manifest.files and not deletes


def _kept(manifest: FolderManifest, load: Load) -> list[LiveFile]:
    """The files that stay live beside those of an append or a replace."""
    if not load.fresh:
        return list(manifest.files)
    if load.mode == "replace" and load.feed.partition is None:
        return []
    return [file for file in manifest.files if file.feed != load.feed.id]


def _written_anew(manifest: FolderManifest, load: Load, form: TableForm) -> tuple[str, ...]:
    others = [file for file in _kept(manifest, load) if not form.is_of(file.name, manifest.form)]
    if not others:
        return ()
    files = "1 file" if len(others) == 1 else f"{len(others):,} files"
    changed = form.changed(others[0].name, manifest.form)
    size = sum(file.bytes for file in others)
    return (f"{load.table}: the next load writes {files} ({size:,} bytes) anew, since {changed}",)


def _kept_schema(load: Load) -> pa.Schema:
    import pyarrow as pa

    names = kept_columns(load)
    if not names:
        msg = f"The load of feed {load.feed.id!r} has no columns. Load rows that have some."
        raise InvalidData(msg)
    return pa.schema([load.schema.field(name) for name in names])


def _changes(known: pa.Schema | None, new: pa.Schema) -> tuple[str, ...]:
    if known is None:
        return ()
    both = unified(known, new)
    found = []
    for field in both:
        place = known.get_field_index(field.name)
        if place < 0:
            found.append(f"add column {field.name} {field.type}")
        elif known.field(place).type != field.type:
            found.append(f"widen column {field.name} from {known.field(place).type} to {field.type}")
    return tuple(found)
