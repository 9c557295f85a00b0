"""What CSV cannot hold: names with half a line end; without quotes, a delimiter in a field, a text that reads as NULL.

They are refused before anything is written, for they would come back as other values, or as more rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from platform_pipelines.formats.options import TextOptions

_SHOWN = 60
_NO_RECORD = (
    "which is no record where a table is written without quotes. Give `options.quote` of the connection a character."
)
_CANNOT = "{}, and this table is written without quotes. Give `options.quote` of the connection a character."


def check_header(names: Sequence[str], options: TextOptions) -> None:
    """See that names can stand in the header, where DuckDB quotes no carriage return.

    Raises:
        InvalidData: one cannot.
    """
    for name in names if options.header else ():
        if "\r" in name:
            msg = (
                f"The column {name!r} holds a carriage return, which the header of a CSV table cannot. Rename it by a "
                "`map` transform, or give the connection `header: false`."
            )
            raise InvalidData(msg)


def check_unquoted(
    connection: duckdb.DuckDBPyConnection, query: str, names: Sequence[str], options: TextOptions
) -> None:
    """See that every field can stand in a file without quotes.

    Args:
        connection: where ``query`` can be run.
        query: the rows as they are to be written.
        names: its columns.
        options: of the file.

    Raises:
        InvalidData: a column's name or a value cannot.
    """
    for name in names if options.header else ():
        if any(each in name for each in (options.delimiter, "\n")):
            msg = f"The column {name!r} {_CANNOT.format(_holds(options))}"
            raise InvalidData(msg)
    if not names:
        return
    if len(names) == 1:
        _check_alone(connection, query, names[0], options)
    firsts = ", ".join(f"min({quote(name)}::varchar) filter ({_is_bad(name, options)})" for name in names)
    found = connection.execute(f"select {firsts} from ({query})").fetchall()[0]
    for name, value in zip(names, found, strict=True):
        if value is not None:
            why = f"is what stands for NULL ({options.null!r})" if value == options.null else _holds(options)
            msg = f"The value {value[:_SHOWN]!r} of column {name!r} {_CANNOT.format(why)}"
            if value == options.null:
                msg += " Or give `null_values` a text that no value has."
            raise InvalidData(msg)


def _check_alone(connection: duckdb.DuckDBPyConnection, query: str, name: str, options: TextOptions) -> None:
    """See that no record is an empty line, which readers skip."""
    empty = f"coalesce({quote(name)}::varchar, {literal(options.null)}) = ''"
    if connection.execute(f"select 1 from ({query}) where {empty} limit 1").fetchone():
        msg = f"A row that has nothing but an empty {name!r} would be an empty line, {_NO_RECORD}"
        raise InvalidData(msg)


def _holds(options: TextOptions) -> str:
    return f"holds the delimiter {options.delimiter!r} or a line end"


def _is_bad(name: str, options: TextOptions) -> str:
    text = f"{quote(name)}::varchar"
    holds = " or ".join(f"contains({text}, {each})" for each in (literal(options.delimiter), "chr(10)", "chr(13)"))
    return f"where {holds} or {text} = {literal(options.null)}"
