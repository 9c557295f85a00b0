"""What every kind of transform gets and gives: one relation in, one relation out.

The order of the steps, counting and failures are left to ``chain``.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from platform_pipelines.duck import quote
from platform_pipelines.errors import SpecError
from platform_pipelines.relations import unused_name
from platform_pipelines.spec.nearest import allowed as listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import duckdb
    import pyarrow as pa

    from platform_pipelines.relations import Lookup

#: carries the cursor where ``map`` does not keep it under its own name
CURSOR_COLUMN = "_pipelines_cursor"


@dataclass(frozen=True, slots=True)
class Step:
    """One transform about to be built.

    Attributes:
        connection: where the relation lives.
        body: what the YAML says under the kind's key.
        label: the transform's label.
        source: name of the view or table that comes in.
        columns: its columns with their DuckDB types.
        cursor: the column that orders versions of a row; None if there is none.
        lookup: reads the tables that joins refer to.
        expected: what the whole chain gave last time, so that new columns keep their types; None the first time.
        unmapped: what ``map`` does with columns that it takes nothing from.
    """

    connection: duckdb.DuckDBPyConnection
    body: Any
    label: str
    source: str
    columns: Mapping[str, str]
    cursor: str | None
    lookup: Lookup
    unmapped: Literal["drop", "keep"] = "drop"
    expected: pa.Schema | None = None

    def view(self, sql: str) -> str:
        """Create a temporary view and return its name; nothing is computed yet."""
        name = unused_name("view")
        self.connection.execute(f"create temp view {quote(name)} as {sql}")
        return name

    def table(self, sql: str) -> str:
        """Create a temporary table, which spills to disk, and return its name."""
        name = unused_name("table")
        self.connection.execute(f"create temp table {quote(name)} as {sql}")
        return name


@dataclass(frozen=True, slots=True)
class Built:
    """One transform, built.

    Attributes:
        relation: name of the view or table that comes out.
        origins: unchanged columns, ``{output: input}``.
        cursor: the column of the output that carries the cursor.
        rejects: relation of the rows that could not be transformed: the columns
            that came in and ``_pipelines_rule``, ``_pipelines_rules``,
            ``_pipelines_reason``; None where that cannot happen.
        same_rows: whether there is one row out for each row in, for certain.
        computed: output columns whose computation may fail.
        dropped: rows in that have no row out, where the kind knows better than
            the difference says; rejects not counted.
        note: one sentence about these rows for people.
    """

    relation: str
    origins: Mapping[str, str]
    cursor: str | None
    rejects: str | None = None
    same_rows: bool = False
    computed: tuple[str, ...] = field(default=())
    dropped: int | None = None
    note: str = ""


class Kind(Protocol):
    """One kind of transform."""

    def check(self, body: Any) -> None:  # noqa: ANN401 - any YAML value
        """Refuse a body that can never work (SpecError), without data."""

    def build(self, step: Step) -> Built:
        """Create the relation that comes out.

        Raises:
            SpecError: the body can never work.
            InvalidData: it does not fit these columns.
            duckdb.Error: a value cannot be computed.
        """


@contextlib.contextmanager
def within(*keys: str) -> Iterator[None]:
    """Say under which keys of the body something is wrong, so that its line can be told."""
    try:
        yield
    except SpecError as error:
        error.path = (*keys, *error.path)
        raise


def mapping(body: Any, what: str, allowed: Collection[str] = ()) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    """The body as a mapping with text keys.

    Raises:
        SpecError: it is none, is empty, or has a key that is not allowed.
    """
    if not isinstance(body, dict) or not body or not all(isinstance(key, str) for key in body):
        msg = f"{what} must be a mapping, not {body!r}."
        raise SpecError(msg)
    for key in body:
        if allowed and key not in allowed:
            msg = f"{what} has the unknown key `{key}`. {listed(key, allowed)}"
            raise SpecError(msg, path=(key,))
    return body


def names(value: Any, what: str) -> tuple[str, ...]:  # noqa: ANN401 - any YAML value
    """A list of column names.

    Raises:
        SpecError: it is none.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        msg = f"{what} must be a list of column names, not {value!r}."
        raise SpecError(msg)
    return tuple(value)


def text(body: Any, what: str, example: str) -> str:  # noqa: ANN401 - any YAML value
    """The body as a text.

    Raises:
        SpecError: it is none or blank.
    """
    if not isinstance(body, str) or not body.strip():
        msg = f"{what} must be a text such as {example!r}, not {body!r}."
        raise SpecError(msg)
    return body
