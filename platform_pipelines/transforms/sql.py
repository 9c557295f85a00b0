"""``sql``: one SELECT over ``input``, the rows that come in.

NULL semantics are those of SQL. What may be written is left to ``sqlguard``.
"""

from __future__ import annotations

from typing import Any

from platform_pipelines import sqlguard
from platform_pipelines.duck import quote
from platform_pipelines.relations import columns
from platform_pipelines.transforms.step import Built, Step, text

_EXAMPLE = "select *, amount * 2 as double from input"


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    text(body, "`sql`", _EXAMPLE)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    checked = sqlguard.check_select(step.connection, text(step.body, "`sql`", _EXAMPLE))
    source = f"(with {quote(sqlguard.INPUT)} as (from {quote(step.source)}) select * from (\n{checked.sql}\n))"
    # Only what is the same in every pass may stay a view: rows are counted and judged in passes of their own.
    relation = step.view(f"from {source}") if checked.streaming else step.table(f"from {source}")
    result = columns(step.connection, relation)
    renamed = dict(checked.renamed) if checked.streaming else {}
    origins = {name: name for name in result if name in step.columns and name not in checked.written} | {
        out: name for out, name in renamed.items() if out in result and name in step.columns
    }
    computed = tuple(name for name in result if name not in origins) if checked.streaming else ()
    return Built(relation, origins, step.cursor if step.cursor in origins else None, computed=computed)
