"""Names of tables as they are written in YAML: ``schema.table`` or ``table``.

Whether a table exists is left to the databases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterable

#: table beside the targets that holds their offsets
OFFSETS = "_pipelines_loads"
#: column of the target that says which feed brought a row
FEED = "_pipelines_feed"
#: databases that every DuckDB connection has
_DATABASES = frozenset({"system", "temp"})


@dataclass(frozen=True, slots=True)
class TableName:
    """A table.

    Attributes:
        schema: its schema.
        name: its name, as it is: neither folded nor quoted.
        catalog: the database, where it must be said; see :meth:`within`.
    """

    schema: str
    name: str
    catalog: str = ""

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{self.schema_sql}.{quote(self.name)}"

    @property
    def schema_sql(self) -> str:
        """The quoted name of the schema."""
        return f"{quote(self.catalog)}.{quote(self.schema)}" if self.catalog else quote(self.schema)

    @property
    def text(self) -> str:
        """What messages and ``_pipelines_loads`` call it."""
        return f"{self.schema}.{self.name}"

    @property
    def offsets(self) -> TableName:
        """The table that holds this table's offsets."""
        return replace(self, name=OFFSETS)

    def within(self, catalog: str) -> TableName:
        """The table in a DuckDB database: a schema named like one of the databases there would be taken for it."""
        return replace(self, catalog=catalog) if self.schema.lower() in {catalog.lower(), *_DATABASES} else self

    @classmethod
    def parse(cls, text: str, default_schema: str) -> TableName:
        """Read ``schema.table`` or ``table``; the first dot parts the two.

        Raises:
            InvalidData: a part is empty.
        """
        schema, dot, name = text.partition(".")
        if not dot:
            schema, name = default_schema, text
        if not schema or not name or "\x00" in text:
            msg = f"{text!r} is not a table. Write it like `schema.table` or `table`."
            raise InvalidData(msg)
        return cls(schema, name)


def target_problem(text: str) -> str | None:
    """Why a table of this name is never loaded; None if it may be.

    A name with a second dot is meant as a path of more parts: it would be made as a table whose name holds a dot.
    """
    try:
        name = TableName.parse(text, "main").name
    except InvalidData as error:
        return str(error)
    if name.lower() == OFFSETS:
        return f"{text!r} is where offsets are kept; rows would spoil them. Choose another `table`."
    if "." not in name:
        return None
    return f"{text!r} is not a table: it has more than two parts. Write it like `schema.table` or `table`."


def check_lengths(names: Iterable[str], limit: int, system: str) -> None:
    """Refuse names that the system would cut off silently.

    Args:
        names: of schema, table and columns.
        limit: bytes in UTF-8 at most.
        system: its name, for the message.

    Raises:
        InvalidData: a name is too long or empty.
    """
    for name in names:
        size = len(name.encode())
        if size > limit or not name:
            msg = (
                f"The name {name!r} has {size} bytes; {system} allows 1 to {limit}. "
                "Rename the column in a `map` transform, or choose another table name."
            )
            raise InvalidData(msg)


def check_count(columns: int, limit: int, table: TableName, system: str) -> None:
    """Refuse more columns than a table of the system may have, before anything is sent.

    Raises:
        InvalidData: there are more.
    """
    if columns > limit:
        msg = (
            f"The load of {table.text} needs a table of {columns} columns; {system} allows {limit} columns. "
            "Nothing was written. Keep fewer of them by a `map` transform, or load into several tables."
        )
        raise InvalidData(msg)
