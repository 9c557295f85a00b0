"""The values of a column that will be at a destination: loaded, waiting to be loaded, or in the batch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.duck import quote
from platform_pipelines.relations import stage, unused_name
from platform_pipelines.rowsql import placed

if TYPE_CHECKING:
    from platform_pipelines.quality.predicates import Scope


def held_values(scope: Scope, destination: str, field: str) -> list[str]:
    """Tables and views that hold the values under the column's name, one for each place that has the column.

    Raises:
        ConnectError: the destination cannot be reached.
    """
    holding = scope.holding(destination, (field,))
    found = [scope.relation] if field in scope.columns else []
    reader = holding.stored()
    if reader is not None and field in reader.schema.names:
        found.append(stage(scope.connection, "reference", reader))
    if holding.waiting.paths:
        files = placed(holding.waiting)
        have = {row[0] for row in scope.connection.execute(f"describe select * from {files}").fetchall()}
        if field in have:
            view = unused_name("waiting")
            scope.connection.execute(f"create temp view {quote(view)} as select {quote(field)} from {files}")
            found.append(view)
    return found
