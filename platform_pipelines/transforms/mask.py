"""``mask``: hides personal data.

All ways yield text, and equal values stay equal, so masked columns can still be
joined and counted. How each way writes a value is left to ``hiding``. With ``at:
landing`` the engine masks what a source gives before anything is stored.
NULL semantics: NULL stays NULL.
"""

from __future__ import annotations

from typing import Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData
from platform_pipelines.relations import require_columns
from platform_pipelines.transforms import hiding
from platform_pipelines.transforms.step import Built, Step, mapping


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    parse(body)


def parse(body: Any) -> dict[str, hiding.Way]:  # noqa: ANN401 - any YAML value
    """How each column is hidden.

    Raises:
        SpecError: a way does not exist or lacks what it needs.
    """
    return {column: hiding.parse(column, way) for column, way in mapping(body, "`mask`").items()}


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    ways = parse(step.body)
    require_columns(ways, step.columns, "`mask`")
    if step.cursor in ways:
        msg = f"`mask` would hide `{step.cursor}`, the cursor, which orders the versions of a row. Mask another column."
        raise InvalidData(msg)
    hidden = {
        name: hiding.expression(step.connection, way, quote(name), step.columns[name]) for name, way in ways.items()
    }
    replaced = [f"{sql} as {quote(name)}" for name, sql in hidden.items()]
    relation = step.view(f"select * replace ({', '.join(replaced)}) from {quote(step.source)}")
    kept = {name: name for name in step.columns if name not in ways}
    return Built(relation, kept, step.cursor, same_rows=True)
