"""The query of a read: a table or a query of the user's, narrowed to a window.

Shared by the sources that are SQL databases; running it is left to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.sql.predicates import window_sql
from platform_pipelines.sql.tables import TableName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_pipelines.model import Stream, Window
    from platform_pipelines.sql.dialect import Dialect, Family

#: what every SQL source understands in ``source.options``
OPTIONS = frozenset({"query", "columns", "where"})
#: columns that this package adds to its targets are not data
BOOKKEEPING = "_pipelines_"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a stream reads from.

    Attributes:
        sql: what stands after FROM.
        columns: the columns to read; None: all but this package's own.
        where: the user's own condition.
        table: the table, unless the user wrote a query.
    """

    sql: str
    columns: tuple[str, ...] | None = None
    where: str | None = None
    table: TableName | None = None

    @classmethod
    def of(cls, stream: Stream, default_schema: str) -> Relation:
        """Read a stream and its options.

        Raises:
            InvalidData: an option has the wrong type, or ``columns`` is empty.
        """
        query = _text(stream.options, "query")
        columns = stream.options.get("columns")
        if columns is not None and not _is_names(columns):
            msg = f"Option `columns` of stream {stream.name!r} must be a list of column names, not {columns!r}."
            raise InvalidData(msg)
        # the line break ends a comment in the user's last line
        table = None if query else TableName.parse(stream.name, default_schema)
        source = table.sql if table else f"({(query or '').strip().rstrip(';')}\n) as q"
        return cls(source, None if columns is None else tuple(columns), _text(stream.options, "where"), table)

    @property
    def filtered(self) -> str:
        """The relation under the user's own condition, as it stands after FROM."""
        return f"(select * from {self.sql} where {self.where}\n) as f" if self.where else self.sql

    def wants(self, column: str) -> bool:
        """Whether a column is to be read."""
        return not column.startswith(BOOKKEEPING) if self.columns is None else column in self.columns

    def check_columns(self, available: Sequence[str], stream: str) -> None:
        """Refuse names in ``columns`` that the relation does not have.

        Raises:
            InvalidData: naming the first of them.
        """
        missing = [name for name in self.columns or () if name not in available]
        if missing:
            msg = f"Stream {stream!r} has no column {missing[0]!r}. Its columns: {', '.join(available)}."
            raise InvalidData(msg)

    def select(
        self, expressions: Sequence[str], window: Window, families: Mapping[str, Family], dialect: Dialect
    ) -> str:
        """The query for the rows of a window."""
        found = [f"({self.where}\n)" if self.where else "", window_sql(window, families, dialect)]
        condition = " and ".join(part for part in found if part)
        return f"select {', '.join(expressions)} from {self.sql}" + (f" where {condition}" if condition else "")


def narrowed(stream: Stream, fields: Sequence[str]) -> Stream:
    """The stream with these columns only."""
    return replace(stream, options={**stream.options, "columns": list(fields)})


def named(expression: str, column: str) -> str:
    """An expression of a SELECT list under a column's name."""
    return quote(column) if expression == quote(column) else f"{expression} as {quote(column)}"


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if value is not None and not (isinstance(value, str) and value.strip()):
        msg = f"Option `{name}` must be SQL text, not {value!r}."
        raise InvalidData(msg)
    return value


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(name, str) for name in value)
