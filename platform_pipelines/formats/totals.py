"""Row counts and sums of a DuckDB relation within a window, in one scan.

Where the relation comes from is left to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.sql.dialect import DUCKDB
from platform_pipelines.sql.predicates import window_sql
from platform_pipelines.sql.totals import Totals, expressions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from platform_pipelines.model import Window
    from platform_pipelines.sql.dialect import Family


def totals(  # noqa: PLR0913 - the relation in three parts, the question in two
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Mapping[str, Family],
    window: Window,
    sums: Sequence[str],
    *,
    place: str,
) -> Totals:
    """How much of the relation lies within the window.

    Args:
        connection: where the relation can be read.
        relation: SQL of the relation, as it stands after ``from``.
        columns: the family of every column.
        window: which rows.
        sums: numeric columns to sum.
        place: the stream or table, for messages.

    Raises:
        InvalidData: a column does not exist or holds no numbers.
    """
    wanted = ", ".join(expressions(sums, columns, place))
    where = window_sql(window, columns, DUCKDB) or "true"
    row = connection.execute(f"select {wanted} from {relation} where {where}").fetchone()
    return Totals.of(sums, row or (0,))
