"""How values of DuckDB travel in Arrow and Parquet: types that these have no word for go as text.

Arrow writes no intervals to Parquet, a time with zone loses its zone on the way, and
bits, big numbers and unions come back as something else. Their text can be cast back.
Types are those that DuckDB hands out, not the text it writes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import duckdb
    from duckdb.sqltypes import DuckDBPyType

#: by the names that ``DuckDBPyType.id`` gives them
_AS_TEXT = frozenset({"interval", "time with time zone", "bit", "bignum", "uhugeint", "union", "variant"})


def types_of(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, DuckDBPyType]:
    """The columns of a query, by name.

    Raises:
        duckdb.Error: it cannot be run.
    """
    return types_in(connection.execute(f"{query} limit 0"))


def types_in(result: duckdb.DuckDBPyConnection) -> dict[str, DuckDBPyType]:
    """The same of a query that was run."""
    return {name: kind for name, kind, *_ in result.description or ()}


def expression(name: str, kind: DuckDBPyType, *, but: Collection[str] = ()) -> str:
    """SQL of a column as it travels: the column itself, or its text.

    Args:
        name: the column.
        kind: its type.
        but: types that travel as they are after all.
    """
    column = quote(name)
    if kind.id == "union":
        return f"cast(to_json({column}) as varchar)"
    if kind.id == "variant":  # as JSON, a NULL would be a text
        return f"case when {column} is not null then cast(cast({column} as json) as varchar) end"
    goes_as = _carried(kind, _AS_TEXT.difference(but))
    return column if goes_as is None else f"cast({column} as {goes_as})"


def replaced(types: Mapping[str, DuckDBPyType], *, but: Collection[str] = ()) -> dict[str, str]:
    """SQL of those columns that do not travel as they are, by name; see :func:`expression`."""
    found = {name: expression(name, kind, but=but) for name, kind in types.items()}
    return {name: sql for name, sql in found.items() if sql != quote(name)}


def all_but(columns: Mapping[str, str]) -> str:
    """``*``, but for columns that are computed."""
    parts = ", ".join(f"{sql} as {quote(name)}" for name, sql in columns.items())
    return f"* replace ({parts})" if parts else "*"


def _carried(kind: DuckDBPyType, as_text: Collection[str]) -> str | None:
    """The SQL type in which a value travels; None where it is the value's own."""
    if kind.id in as_text:
        return "VARCHAR"
    if kind.id not in {"list", "array", "struct", "map"}:
        return None
    given: Any = kind.children
    children = [each for each in given if each[0] != "size" or kind.id != "array"]
    inner = [_carried(child, as_text) for _, child in children]
    if not any(inner) or "" in {name for name, _ in children}:  # fields without a name cannot be written down
        return None
    types = [found or str(child) for found, (_, child) in zip(inner, children, strict=True)]
    if kind.id == "map":
        return f"MAP({', '.join(types)})"
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{quote(name)} {each}' for (name, _), each in zip(children, types, strict=True))})"
    return f"{types[0]}[]"
