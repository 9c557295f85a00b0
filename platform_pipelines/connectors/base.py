"""The connector contract: what a system must do to be a source or a destination.

A connector only moves batches. The order of work (land, validate, deduplicate,
load, retry) belongs to the engine, and shared SQL to ``platform_pipelines.sql``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from platform_pipelines.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from platform_pipelines.cursor import Cursor
    from platform_pipelines.model import (
        Feed,
        Load,
        LoadPlan,
        Offset,
        Page,
        ReadPlan,
        Receipt,
        Stream,
        StreamInfo,
        TimeSlice,
        ValueSlice,
        Window,
    )
    from platform_pipelines.sql.totals import Totals


class Connector(BaseModel):
    """Base of all connectors: a frozen model that is its own configuration.

    Every field is a key of ``connectors.yaml``; unknown keys are refused. Fields
    named in ``paths`` are taken relative to the project's root.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    #: configuration fields that hold a local path
    paths: ClassVar[frozenset[str]] = frozenset()
    #: load modes of a destination; empty for a connector that is a source only
    modes: ClassVar[frozenset[Mode]] = frozenset()
    #: keys allowed in ``source.options``
    source_options: ClassVar[frozenset[str]] = frozenset()
    #: whether a destination keeps offsets; if not, the engine keeps them in the landing log
    durable: ClassVar[bool] = True
    #: whether a load is one transaction; if not, each batch is loaded by itself, its rows in the same order each time
    atomic: ClassVar[bool] = True
    #: whether a load leaves a row alone that is newer than the one that comes; if not, the engine leaves those out
    compares: ClassVar[bool] = True
    #: whether only one process can write at a time, to whichever table
    single_writer: ClassVar[bool] = False

    type: str

    def check(self) -> None:
        """Reach the system and say nothing if all is well.

        Raises:
            ConnectError: it cannot be reached or refuses the credentials.
        """
        raise NotImplementedError

    @classmethod
    def table_problem(cls, table: str, config: Mapping[str, Any]) -> str | None:  # noqa: ARG003 - for those that mind
        """Why a destination of this configuration, secrets unresolved, can never load such a table; None if it can."""
        return None

    @classmethod
    def stream_problem(cls, stream: str, config: Mapping[str, Any]) -> str | None:  # noqa: ARG003 - for those that mind
        """Why a source of this configuration, secrets unresolved, can never read such a stream; None if it can."""
        return None

    @classmethod
    def warm(cls) -> None:
        """Open what every connection of this type needs, in a thread that runs ahead of its use; nothing by default.

        It has to be done soon, for the process does not end before, and may import no module of ours. Whoever needs
        what it opens tries again what fails here, and says what is wrong.
        """

    @classmethod
    def complete(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with what it refers to elsewhere, secrets unresolved; as it is where that is wrong."""
        return dict(config)

    @classmethod
    def stream_names(cls, config: Mapping[str, Any]) -> tuple[str, ...] | None:  # noqa: ARG003 - for those that know
        """The streams that a configuration declares, secrets unresolved; None, as here, where only the system knows."""
        return None

    @classmethod
    def table_names(cls, config: Mapping[str, Any]) -> tuple[str, ...] | None:  # noqa: ARG003 - for those that know
        """The tables that a configuration declares, secrets unresolved; None, as here, where any name will do."""
        return None

    def held(self) -> AbstractContextManager[None]:
        """Keep open what is costly to open, over several loads in a row; nothing by default."""
        return contextlib.nullcontext()

    def tidy(self, table: str) -> None:
        """Remove what a load of ``table`` left behind whose process was killed; called before each load.

        Nothing by default: what databases leave open goes with the connection.
        """


@runtime_checkable
class Source(Protocol):
    """A connector that can be read."""

    def check(self) -> None:
        """See :meth:`Connector.check`."""

    def streams(self) -> list[StreamInfo]:
        """The streams on offer, sorted by name."""

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:  # noqa: ANN401 - any JSON value
        """Read the part of ``stream`` that ``window`` describes, all pages in one schema.

        Raises:
            ConnectError: the system cannot be reached.
            InvalidData: the stream does not exist or cannot be read as declared.
        """


@runtime_checkable
class Destination(Protocol):
    """A connector that can be loaded."""

    def check(self) -> None:
        """See :meth:`Connector.check`."""

    def offset(self, feed: Feed, table: str) -> Offset | None:
        """The last batch of ``feed`` that ``table`` holds; None if there was none."""

    def load(self, load: Load, batches: pa.RecordBatchReader) -> Receipt:
        """Write rows and offset in one commit.

        Raises:
            OffsetConflict: the stored offset is not ``load.previous``.
            ConnectError: the system cannot be reached.
        """


@runtime_checkable
class OffsetLister(Protocol):
    """A destination that can tell the offsets of all feeds of a pipeline at once."""

    def offsets(self, pipeline: str, table: str) -> dict[str, Offset]:
        """The last batch of each feed that ``table`` holds, by :attr:`Feed.id`; see :meth:`Destination.offset`."""


@runtime_checkable
class Plannable(Protocol):
    """A source that can say what it would ask, without reading."""

    def plan_read(self, stream: Stream, window: Window) -> ReadPlan:
        """The query that :meth:`Source.read` would run now."""


@runtime_checkable
class Evolvable(Protocol):
    """A destination with a schema that loads may change."""

    def plan_load(self, load: Load) -> LoadPlan:
        """The schema changes that :meth:`Destination.load` would make."""


@runtime_checkable
class Sighted(Protocol):
    """A source that bounds its reads by what is still under way, and knows what of that it does not see."""

    def blind_spots(self) -> list[str]:
        """Why rows that appear late may be missed unless `cursor.lag` covers them; one sentence each, or none."""


@runtime_checkable
class KeyReader(Protocol):
    """A source that can give some columns of a stream more cheaply than all of them."""

    def read_keys(self, stream: Stream, window: Window, fields: tuple[str, ...]) -> Iterator[Page]:
        """What :meth:`Source.read` would give, in these columns only."""


@runtime_checkable
class ChangeAware(Protocol):
    """A source that can say cheaply how far each partition has come."""

    def partition_cursors(
        self, stream: Stream, window: Window, slices: dict[str, TimeSlice | ValueSlice]
    ) -> dict[str, Cursor | None]:
        """The highest cursor of each partition that has rows: ``{partition key: cursor}``."""


@runtime_checkable
class Countable(Protocol):
    """A system that can say cheaply how much a stream or a loaded table holds."""

    def totals(self, stream: Stream, window: Window, sums: Sequence[str]) -> Totals:
        """Rows within a window, and the sums of numeric columns over them.

        Args:
            stream: what to count; a destination's table under its own name.
            window: which rows; its bounds are half-open as in :meth:`Source.read`.
            sums: columns to sum.

        Raises:
            ConnectError: the system cannot be reached.
            InvalidData: there is no such stream or column, or a column holds no numbers.
        """


@runtime_checkable
class ReadBack(Protocol):
    """A destination whose rows can be read back, to hold new ones against them."""

    def holds(self, table: str, columns: Sequence[str], but: Feed | None) -> Iterator[pa.RecordBatch]:
        """The rows of ``table``; none where there is no such table yet.

        Args:
            table: as in the YAML.
            columns: the columns wanted; those that the table lacks are left out.
            but: the feed whose rows are left out, as a load that replaces them would; None for none.

        Raises:
            ConnectError: the system cannot be reached.
        """
