"""Files in a local folder: CSV, JSON, JSON Lines and Parquet, as source and as destination.

What is read and written and where is decided here; parsing, types and table
folders are left to ``formats``, whose modules are imported by what uses them: a
connection that is only declared costs a run nothing.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from platform_pipelines import duck
from platform_pipelines.connectors.base import Connector
from platform_pipelines.errors import ConnectError, InvalidData, SpecError
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.model import LoadPlan, Page, ReadPlan, Rejected
from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import families, window_sql
from platform_pipelines.sql.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.formats.folder import TableFolder
    from platform_pipelines.formats.reads import Read, ReadCache
    from platform_pipelines.model import (
        Feed,
        Load,
        Mode,
        Offset,
        Receipt,
        Stream,
        StreamInfo,
        TimeSlice,
        ValueSlice,
        Window,
    )

_REJECTED_AT_ONCE = 1_000


def _is_local(root: str) -> str:
    if "://" in root:
        msg = f"{root!r} is not on this machine; object stores come later. Give a local folder"
        raise ValueError(msg)
    return root


def _read_cache() -> ReadCache:
    from platform_pipelines.formats.reads import ReadCache

    return ReadCache()


class FilesConnector(Connector):
    """Files under a folder.

    Attributes:
        root: the folder.
        format: how files are read and written.
        options: details of text files; ``source.options`` may replace them by stream.
    """

    paths: ClassVar[frozenset[str]] = frozenset({"root"})
    modes: ClassVar[frozenset[Mode]] = frozenset({"append", "merge", "update", "replace", "delete"})
    source_options: ClassVar[frozenset[str]] = frozenset(TextOptions.model_fields)

    type: Literal["files"] = "files"
    root: Annotated[str, AfterValidator(_is_local)]
    format: Literal["parquet", "csv", "jsonl", "json"] = "parquet"
    options: TextOptions = Field(default_factory=TextOptions)
    _cache: ReadCache = PrivateAttr(default_factory=_read_cache)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def table_problem(cls, table: str, config: Mapping[str, Any]) -> str | None:
        """Folders lie under the root, and text is written in UTF-8."""
        from platform_pipelines.formats.inputs import check_relative

        try:
            check_relative(table, "Table")
            found = cls.model_validate(dict(config))
        except InvalidData as error:
            return str(error)
        except ValidationError:
            return None  # told elsewhere
        if found.format == "parquet":
            return None
        if found.format == "csv" and (problem := found.options.unwritable()):
            return problem
        if found.options.encoding in {"utf-8", "utf-8-sig"}:
            return None
        return (
            f"files are written in utf-8, and `options` of this connection say {found.options.encoding}. Write through "
            "a connection of its own, without `encoding`; streams may name theirs in `source.options`."
        )

    @classmethod
    def stream_problem(cls, stream: str, config: Mapping[str, Any]) -> str | None:  # noqa: ARG003 - any root will do
        """Streams lie under the root."""
        from platform_pipelines.formats.inputs import check_relative

        try:
            check_relative(stream, "Stream")
        except InvalidData as error:
            return str(error)
        return None

    @classmethod
    def warm(cls) -> None:
        """Open the DuckDB instance that reads and judges."""
        duck.end(duck.connect())

    def check(self) -> None:
        """See that the folder can be read, or made."""
        folder = self._folder
        if folder.is_dir():
            if not os.access(folder, os.R_OK | os.X_OK):
                msg = f"The folder {folder} cannot be read by this user. Change its permissions."
                raise ConnectError(msg)
            return
        ancestor = next(p for p in folder.parents if p.exists())
        if folder.exists() or not ancestor.is_dir() or not os.access(ancestor, os.W_OK):
            msg = f"{folder} is not a folder and cannot be made in {ancestor}. Mend `root`, or make the folder."
            raise ConnectError(msg)

    def streams(self) -> list[StreamInfo]:
        """The files in the root and the folders below it that hold files of the format."""
        from platform_pipelines.formats.reads import list_streams

        return list_streams(self._folder, self.format)

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401, ARG002 - the contract
        """Read files in the order of their paths.

        A partition's read is kept parsed, so that the next partition of the same
        files is read from there.
        """
        if window.partition is None:
            bounded = window.low is not None or window.high is not None  # rows outside stay unseen, and unproven
            opened = self._open(replace(stream, restartable=stream.restartable and not bounded))
            try:
                yield from _pages(opened, window)
            finally:
                opened.close()
        else:
            yield from _pages(self._cached(stream), window)

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The files and the condition that :meth:`read` would use now."""
        opened = self._cached(stream)
        where = window_sql(window, families(opened.schema), DUCKDB)
        labels = ", ".join(file.label for file in opened.files)
        return ReadPlan(f"{self.format} {labels}{f' where {where}' if where else ''}", estimated_rows=opened.count())

    def partition_cursors(
        self, stream: Stream, window: Window, slices: Mapping[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows."""
        from platform_pipelines.formats.slices import partition_cursors

        opened = self._cached(stream)
        if not opened.relation():
            return {}
        with opened.cursor() as connection:
            return partition_cursors(connection, opened.relation(), families(opened.schema), window, slices)

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and sums over them; text files are parsed for it, Parquet is only scanned."""
        from platform_pipelines.formats.totals import totals

        opened = self._cached(stream)
        if not opened.relation():
            return Totals(0, dict.fromkeys(sums, Decimal(0)))
        with opened.cursor() as connection:
            place = f"{stream.name} under {self.root}"
            return totals(connection, opened.relation(), families(opened.schema), window, sums, place=place)

    def holds(self, table: str, columns: Sequence[str], but: Feed | None) -> Iterator[pa.RecordBatch]:
        """The rows of a table folder, without those that a feed brought."""
        from platform_pipelines.formats.folder_rows import held_rows

        yield from held_rows(self._folder, table, self.options, columns=columns, but=but)

    def offset(self, feed: Feed, table: str) -> Offset | None:
        """The last batch of the feed that the table's folder lists."""
        return self._table(table).offset(feed)

    def offsets(self, pipeline: str, table: str) -> dict[str, Offset]:
        """The last batch of each feed of ``pipeline`` that the table's folder lists."""
        return self._table(table).offsets(pipeline)

    def plan_load(self, load: Load) -> LoadPlan:
        """The columns that a load would add or widen, and those whose values it would lose."""
        return self._table(load.table).changes(load)

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Write files aside, then commit them together with the offset."""
        return self._table(load.table).load(load, batches)

    def tidy(self, table: str) -> None:
        """Remove files that a killed load wrote and did not commit, or had replaced."""
        self._table(table).tidy()

    @property
    def _folder(self) -> Path:
        return Path(self.root)

    def _table(self, table: str) -> TableFolder:
        from platform_pipelines.formats.folder import TableFolder

        return TableFolder(self._folder, table, self.format, self.options)

    def _open(self, stream: Stream) -> Read:
        from platform_pipelines.formats.reads import open_read

        return open_read(self._folder, self.format, self._options_of(stream), stream)

    def _cached(self, stream: Stream) -> Read:
        with self._lock:
            return self._cache.get(self._folder, self.format, self._options_of(stream), stream)

    def _options_of(self, stream: Stream) -> TextOptions:
        try:
            return self.options.with_overrides(stream.options)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            allowed = ", ".join(TextOptions.model_fields)
            msg = f"`source.options.{name}` of stream {stream.name!r}: {first['msg']}. Allowed options: {allowed}."
            raise SpecError(msg) from error


def _pages(opened: Read, window: Window) -> Iterator[Page]:
    for batch in opened.rows(window):
        yield Page((batch,))
    held: list[Rejected] = []
    for record in opened.rejected(window):
        held.append(record)
        if len(held) == _REJECTED_AT_ONCE:
            yield Page((), rejected=tuple(held))
            held = []
    if held:
        yield Page((), rejected=tuple(held))
