"""``mask``: hides personal data.

``sha256`` gives the SHA-256 of the value's UTF-8 text in lower-case hex digits,
so equal values stay equal; ``redact`` gives ``***``. Both yield text.
NULL semantics: NULL stays NULL.
"""

from __future__ import annotations

from typing import Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import require_columns
from platform_pipelines.transforms.step import Built, Step, mapping

_WAYS = {
    "sha256": "sha256(cast({0} as varchar))",
    "redact": "case when {0} is not null then '***' end",
}


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    for column, way in mapping(body, "`mask`").items():
        if way not in _WAYS:
            msg = f"Unknown mask {way!r} for `{column}`. Allowed: {', '.join(_WAYS)}."
            raise SpecError(msg)


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    check(step.body)
    require_columns(step.body, step.columns, "`mask`")
    if step.cursor in step.body:
        msg = f"`mask` would hide `{step.cursor}`, the cursor, which orders the versions of a row. Mask another column."
        raise InvalidData(msg)
    replaced = [f"{_WAYS[way].format(quote(name))} as {quote(name)}" for name, way in step.body.items()]
    relation = step.view(f"select * replace ({', '.join(replaced)}) from {quote(step.source)}")
    kept = {name: name for name in step.columns if name not in step.body}
    return Built(relation, kept, step.cursor, same_rows=True)
