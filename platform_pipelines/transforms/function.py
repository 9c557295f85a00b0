"""``function``: a user's own function from one pandas DataFrame to another.

The function gets the whole batch at once, because it may group or sort; so this
is the one transform whose memory grows with the batch. Columns are Arrow-backed
(``pandas.ArrowDtype``): integers stay integers beside NULL, decimals stay exact.
NULL semantics: NULL comes in as ``pandas.NA``; NA, None and NaT go out as NULL,
and so does NaN in a column that the function made with numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.relations import columns, stage
from platform_pipelines.transforms.step import Built, Step, text
from platform_pipelines.userobject import load_object

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def check(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """See :meth:`Kind.check`."""
    text(body, "`function`", "my_module:tidy")


def build(step: Step) -> Built:
    """See :meth:`Kind.build`."""
    path = text(step.body, "`function`", "my_module:tidy")
    function = load_object(path, "`function`")
    if not callable(function):
        msg = f"`function` names {path!r}, which is no function."
        raise SpecError(msg)
    before = step.connection.execute(f"from {quote(step.source)}").to_arrow_table()
    result = _to_arrow(_call(function, path, before), path)
    relation = stage(step.connection, "function", result.to_reader())
    after = columns(step.connection, relation)
    kept = {name: name for name, kind in after.items() if step.columns.get(name) == kind}
    return Built(relation, kept, step.cursor if step.cursor in after else None)


def _call(function: Any, path: str, table: pa.Table) -> pd.DataFrame:  # noqa: ANN401 - any callable
    import pandas as pd

    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    try:
        result = function(frame)
    except Exception as error:
        msg = f"`{path}` raised {type(error).__name__}: {error}"
        raise InvalidData(msg) from error
    if not isinstance(result, pd.DataFrame):
        msg = f"`{path}` returned {type(result).__name__}; it must return a pandas.DataFrame."
        raise InvalidData(msg)
    return result


def _to_arrow(frame: pd.DataFrame, path: str) -> pa.Table:
    import pyarrow as pa

    if not all(isinstance(name, str) for name in frame.columns) or frame.columns.has_duplicates:
        msg = f"`{path}` returned the columns {list(frame.columns)!r}; names must be texts and differ."
        raise InvalidData(msg)
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        msg = f"`{path}` returned a column that has no single type: {error}"
        raise InvalidData(msg) from error
