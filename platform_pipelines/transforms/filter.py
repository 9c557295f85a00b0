"""``filter``: keeps the rows for which a SQL expression is true.

NULL semantics: a row for which the expression is NULL is dropped, as WHERE does.
"""

from __future__ import annotations

from typing import Any

from platform_pipelines import sqlguard
from platform_pipelines.duck import quote
from platform_pipelines.transforms.step import Built, Step, text


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    text(body, "`filter`", "amount > 0")


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    checked = sqlguard.check_expression(step.connection, text(step.body, "`filter`", "amount > 0"))
    source = quote(step.source)
    sql = f"select * from {source} as {quote(sqlguard.INPUT)} where {checked.sql}"
    # An expression over chance or the clock would choose other rows in each pass: choose once.
    relation = step.view(sql) if checked.streaming else step.table(sql)
    return Built(relation, {name: name for name in step.columns}, step.cursor)
