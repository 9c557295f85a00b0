"""``sql``: one SELECT over ``input``, the rows that come in.

NULL semantics are those of SQL. What may be written is left to ``sqlguard``.
Columns of types that files cannot keep leave as text, see ``duckdb_carried``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines import sqlguard
from platform_pipelines.duck import quote
from platform_pipelines.relations import columns
from platform_pipelines.sql.duckdb_carried import all_but, replaced, types_of
from platform_pipelines.transforms.step import Built, Step, text

if TYPE_CHECKING:
    import duckdb

_EXAMPLE = "select *, amount * 2 as double from input"


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    text(body, "`sql`", _EXAMPLE)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    checked = sqlguard.check_select(step.connection, text(step.body, "`sql`", _EXAMPLE))
    source = _carried(step.connection, f"with {quote(sqlguard.INPUT)} as (from {quote(step.source)})", checked.sql)
    # Only what is the same in every pass may stay a view: rows are counted and judged in passes of their own.
    relation = step.view(f"from {source}") if checked.streaming else step.table(f"from {source}")
    result = columns(step.connection, relation)
    renamed = dict(checked.renamed) if checked.streaming else {}
    origins = {name: name for name in result if name in step.columns and name not in checked.written} | {
        out: name for out, name in renamed.items() if out in result and name in step.columns
    }
    computed = tuple(name for name in result if name not in origins) if checked.streaming else ()
    return Built(relation, origins, step.cursor if step.cursor in origins else None, computed=computed)


def _carried(connection: duckdb.DuckDBPyConnection, given: str, query: str) -> str:
    """The rows of a query; columns of a type that no file can keep, such as intervals, as text."""
    types = types_of(connection, f"{given} select * from (\n{query}\n)")
    return f"({given} select {all_but(replaced(types))} from (\n{query}\n))"
