"""DuckDB relations that transforms and rules work on: columns, comparable values, staged references.

What is done with the rows is left to ``transforms`` and ``quality``; where
reference rows come from is left to the engine, which passes a :class:`Lookup`.
"""

from __future__ import annotations

import difflib
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.rowfiles import NOWHERE, RowFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import duckdb
    import pyarrow as pa

Family = Literal["text", "integer", "decimal", "float", "bool", "date", "timestamp", "timestamptz", "nested", "other"]

#: rows of one Arrow batch handed to Python
CHUNK_ROWS = 131_072

_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"VARCHAR|JSON|ENUM.*|UUID|CHAR|STRING", "text"),
    (r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)", "integer"),
    (r"DECIMAL.*", "decimal"),
    (r"FLOAT|DOUBLE", "float"),
    (r"BOOLEAN", "bool"),
    (r"DATE", "date"),
    (r"TIMESTAMP(_S|_MS|_NS)?", "timestamp"),
    (r"TIMESTAMP WITH TIME ZONE", "timestamptz"),
    (r"STRUCT.*|MAP.*|UNION.*|.*\]", "nested"),
)
_counter = itertools.count(1)


class Lookup(Protocol):
    """Reads a table that a join or a foreign key refers to."""

    def __call__(
        self, connector: str, table: str, columns: tuple[str, ...], options: Mapping[str, Any] | None = None
    ) -> pa.RecordBatchReader:
        """The rows of ``table``.

        Args:
            connector: name of the connector, as in the YAML.
            table: ``schema.table``, a glob or a folder, as in the YAML.
            columns: the columns wanted; empty for all.
            options: what only this connector understands, as in ``source.options``.

        Raises:
            ConnectError: the system cannot be reached.
            InvalidData: there is no such table or column, or a record of it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Holding:
    """What a destination will hold when a batch reaches it.

    Attributes:
        stored: reads the rows it holds now, without those that the load replaces
            as a whole; None where there is no such table.
        waiting: rows that are loaded before the batch, in this order.
        key: what rows are merged or updated by; empty where they are appended.
    """

    stored: Callable[[], pa.RecordBatchReader | None]
    waiting: RowFiles = NOWHERE
    key: tuple[str, ...] = ()


class Holdings(Protocol):
    """Looks into the destinations of the pipeline that is judged."""

    def __call__(self, destination: str, columns: tuple[str, ...]) -> Holding:
        """What a destination will hold.

        Args:
            destination: its name.
            columns: the columns wanted beside its key and the cursor.

        Raises:
            ConnectError: the system cannot be reached.
        """


def unused_name(hint: str) -> str:
    """A name for a temporary view or table that no other one of this process has."""
    return f"_pipelines_{hint}_{next(_counter)}"


def columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Column names of a view or table, in order, with their DuckDB types."""
    rows = connection.execute(f"describe from {quote(relation)}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of a view or table."""
    row = connection.execute(f"select count(*) from {quote(relation)}").fetchone()
    return int(row[0]) if row else 0


def family(duck_type: str) -> Family:
    """What kind of values a DuckDB type holds, in capitals or not."""
    for pattern, name in _FAMILIES:
        if re.fullmatch(pattern, duck_type, re.DOTALL | re.IGNORECASE):
            return name
    return "other"


def comparable(left: str, left_type: str, right: str, right_type: str) -> tuple[str, str]:
    """Two SQL expressions that ``=`` compares without a failing cast.

    Numbers compare with numbers and dates with timestamps, whatever their
    widths; anything else of different kinds compares as text. NULL equals nothing.
    """
    numbers, times = {"integer", "decimal", "float"}, {"date", "timestamp", "timestamptz"}
    kinds = {family(left_type), family(right_type)}
    if left_type == right_type or kinds <= numbers or kinds <= times:
        return left, right
    return f"cast({left} as varchar)", f"cast({right} as varchar)"


def require_columns(wanted: Iterable[str], present: Iterable[str], where: str) -> None:
    """Check that columns exist.

    Raises:
        InvalidData: one does not; the message lists those that do and the nearest.
    """
    names = list(present)
    for name in wanted:
        if name in names:
            continue
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        msg = f"{where} names the column `{name}`, which does not exist. Columns: {', '.join(names)}.{hint}"
        raise InvalidData(msg)


def stage(connection: duckdb.DuckDBPyConnection, hint: str, reader: pa.RecordBatchReader, condition: str = "") -> str:
    """Copy the rows of a reader into a new temporary table and return its name.

    Args:
        connection: where the table is made.
        hint: part of its name.
        reader: the rows.
        condition: what follows the reader in the query, such as ``r where r.id > 1``; by default all rows are copied.

    Raises:
        Exception: whatever the reader raised, as the reader raised it: DuckDB
            would have turned it into an error of its own.
    """
    import duckdb
    import pyarrow as pa

    failures: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except BaseException as error:
            failures.append(error)
            raise

    name, incoming = unused_name(hint), unused_name("reader")
    connection.register(incoming, pa.RecordBatchReader.from_batches(reader.schema, batches()))
    try:
        connection.execute(f"create temp table {quote(name)} as from {quote(incoming)} {condition}")
    except duckdb.Error:
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.unregister(incoming)
    return name
