"""The frozen values that travel between the parts: what is read, landed and loaded.

No behaviour that touches the world lives here, and nothing here knows a system,
a file format or Dagster.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote

from platform_pipelines.rowfiles import NOWHERE, RowFiles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor

Mode = Literal["append", "merge", "update", "replace", "delete"]
OnMissing = Literal["fail", "include", "skip"]
Grain = Literal["hour", "day", "week", "month"]
#: what a person decides of a batch that the gate holds
Decision = Literal["release", "discard"]
#: column that marks rows whose key is gone at the source (``deletes: {detect: key_difference, action: soft}``)
DELETED_AT = "_pipelines_deleted_at"
#: partition keys that are names of folders as they are
_PLAIN = re.compile(r"[A-Za-z0-9_~ +:,-]*")
#: the folder of a feed without partitions, and how those of partitions begin
_WHOLE, _PART = "all", "p-"


@dataclass(frozen=True, slots=True)
class Feed:
    """One log of batches: a pipeline, or one partition of it.

    Attributes:
        pipeline: the pipeline's name.
        partition: its partition key; None where the pipeline has no partitions.
    """

    pipeline: str
    partition: str | None = None

    @property
    def key(self) -> str:
        """The partition key, or ``all``."""
        return _WHOLE if self.partition is None else self.partition

    @property
    def id(self) -> str:
        """What destinations keep in ``_pipelines_feed`` and ``_pipelines_loads``."""
        return self.pipeline if self.partition is None else f"{self.pipeline}/{self.partition}"

    @property
    def folder(self) -> str:
        """The feed's folder name in the landing log; safe for any key."""
        if self.partition is None:
            return _WHOLE
        if _PLAIN.fullmatch(self.partition):
            return _PART + self.partition
        return _PART + quote(self.partition, safe=" +:,").replace(".", "%2E")

    @property
    def option(self) -> str:
        """What a command needs to be about this feed, as a shell takes it: `` --partition KEY``; else nothing."""
        return "" if self.partition is None else f" --partition {shlex.quote(self.partition)}"

    @classmethod
    def of_id(cls, text: str) -> Feed:
        """The feed with this :attr:`id`."""
        pipeline, parted, partition = text.partition("/")
        return cls(pipeline, partition if parted else None)

    @classmethod
    def of_folder(cls, pipeline: str, name: str) -> Feed:
        """The feed of a pipeline with this :attr:`folder`."""
        return cls(pipeline, None if name == _WHOLE else unquote(name.removeprefix(_PART)))


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """A partition by time: ``start <= field < end``.

    Attributes:
        field: the partition field, a date or timestamp column of the source.
        start: first instant, with zone.
        end: first instant after it, with zone.
        timezone: IANA name of the zone in which the partition's days begin;
            naive columns and dates are compared in this zone.
    """

    field: str
    start: dt.datetime
    end: dt.datetime
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ValueSlice:
    """A partition by value: ``field = value``."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Window:
    """What part of a stream to read.

    Attributes:
        field: the cursor field; None reads without a cursor (full refresh).
        low: read ``field >= low``; None reads from the beginning. ``lag`` is
            already taken off.
        high: read ``field < high``; None leaves the upper end to the source,
            which caps it by its own clock and its open transactions where it can.
        timezone: IANA zone of naive cursor values; None where none was declared.
        on_missing: what happens to rows whose cursor is NULL. Sources return
            them for ``fail`` and ``include`` (whatever ``low`` says) and may
            leave them out for ``skip``; the engine counts and decides.
        partition: the partition to read, if any.
    """

    field: str | None = None
    low: Cursor | None = None
    high: Cursor | None = None
    timezone: str | None = None
    on_missing: OnMissing = "fail"
    partition: TimeSlice | ValueSlice | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What to read from a source.

    Attributes:
        name: table, endpoint, topic or glob, as written in the YAML.
        options: what only this connector understands.
        expected: the Arrow schema landed last time; text formats keep these
            types instead of guessing anew. None on the first read.
        type_changes: what to do with values that do not fit ``expected``.
        limit: rows that are wanted, where somebody only looks; a source may stop there. None for all.
        restartable: whether the reader can drop all pages it was given and begin again. A source may
            then hand out rows before it has seen them all, and raise ``StartOver`` instead of a page.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: pa.Schema | None = None
    type_changes: Literal["widen", "reject", "fail"] = "widen"
    limit: int | None = None
    restartable: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read as declared.

    Attributes:
        record: the record as JSON text, values as the source wrote them.
        reason: what is wrong with which field and value, in one sentence.
    """

    record: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a stream.

    Attributes:
        batches: rows, all of one schema across the whole read.
        resume: a JSON value from which a restart may go on once this page is
            durable; None where the order of the source does not make that safe.
        rejected: records that could not be read as declared.
    """

    batches: tuple[pa.RecordBatch, ...]
    resume: Any = None
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream that a source offers.

    Attributes:
        name: as it is written in ``source.stream``.
        schema: Arrow schema, where it is cheap to know.
        key: primary key columns, where the source declares one.
        rows: estimated rows, where the source keeps a figure.
    """

    name: str
    schema: pa.Schema | None = None
    key: tuple[str, ...] = ()
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a read would ask of the source.

    Attributes:
        query: the query or request in the source's own words.
        high: the upper bound that would be used now.
        estimated_rows: rows, if the source can tell cheaply.
    """

    query: str
    high: Cursor | None = None
    estimated_rows: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Offset:
    """The last batch a destination has loaded of a feed."""

    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Load:
    """One atomic load: rows and offset in one commit.

    Rows reach the destination already deduplicated by ``key`` (newest cursor,
    then last arrival wins) and without NULL in a key column.

    Attributes:
        feed: whose rows these are.
        table: ``schema.table``, ``table`` or a folder, as written in the YAML.
        mode: append, merge, update, replace or delete.
        key: key columns; empty for append and replace.
        cursor: the column of the rows that orders versions of one key; None
            where there is none: then the later load wins.
        schema: Arrow schema of the rows. Field metadata key ``pg_type`` holds
            the PostgreSQL type to restore, where the source was PostgreSQL.
        offset: what ``_pipelines_loads`` says after the commit.
        previous: what it must say before; another value raises OffsetConflict.
        fresh: a new epoch: replace what this feed had loaded.
        rows: rows in ``batches``.
        token: the run's token, kept beside the offset.
        stored: these rows under this schema in local files, where they lie in such: may be read or copied instead
            of ``batches``.
        delete_field: rows in which this column is not NULL are deletes.
        delete_action: ``hard`` removes the row by key, ``soft`` only merges it.
        own: an update or delete of keys found gone at the source, in a table that is merged into: it touches only rows
            that ``feed`` was the last to write.
        buffer_bytes: bytes to hold before writing on.
        flush_seconds: seconds after which a buffer is written on.
        threads: writer threads at most.
        allow_destructive: whether columns may be dropped or narrowed.
        destination: its name in the pipeline.
        batch: names the rows for ever: the same for every attempt to load them, and for no other rows.
        awaited: names of other batches that an attempt may have begun to load and that will come again.
        batch_size: records in one request of an API writer.
        on_error: what an API writer does once a record is refused.
    """

    feed: Feed
    table: str
    mode: Mode
    schema: pa.Schema
    offset: Offset
    rows: int
    token: str
    key: tuple[str, ...] = ()
    cursor: str | None = None
    previous: Offset | None = None
    fresh: bool = False
    stored: RowFiles = NOWHERE
    delete_field: str | None = None
    delete_action: Literal["soft", "hard"] = "soft"
    own: bool = False
    buffer_bytes: int = 50_000_000
    flush_seconds: float = 600.0
    threads: int = 10
    allow_destructive: bool = False
    destination: str = ""
    batch: str = ""
    awaited: frozenset[str] = frozenset()
    batch_size: int = 200
    on_error: Literal["continue", "stop"] = "continue"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination counted in the transaction that it committed.

    Attributes:
        staged: rows that arrived at the destination.
        loaded: rows written or, for deletes, rows of the input applied.
        superseded: rows left out because the destination holds a newer version
            or, for update and delete, no such key.
        bytes: bytes written, where the destination knows.
        ddl: the schema changes that were made.
        refused: rows that the destination would not take, with a column ``_pipelines_reason``; None for none.
    """

    staged: int
    loaded: int
    superseded: int = 0
    bytes: int = 0
    ddl: tuple[str, ...] = ()
    refused: pa.Table | None = None

    @property
    def rejected(self) -> int:
        """How many rows it would not take."""
        return 0 if self.refused is None else int(self.refused.num_rows)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The schema changes a load would make.

    Attributes:
        ddl: statements that only add or widen.
        destructive: statements that drop or narrow.
        notes: what else it would change, for people, one line each.
    """

    ddl: tuple[str, ...] = ()
    destructive: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
