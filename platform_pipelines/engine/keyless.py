"""Refuses a batch that no destination can take for want of keys, before its verdict is sealed.

Behind the seal a batch is judged no more: a rule that rejects such rows, or a `map`
that keeps the key's column, would come too late for it. Where one destination can
take the batch it is sealed, and the others say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.incoming import KEYED, check_key, null_keys
from platform_pipelines.errors import InvalidData
from platform_pipelines.rowsql import placed
from platform_pipelines.store.passed import passed

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine.context import Context
    from platform_pipelines.rowfiles import RowFiles
    from platform_pipelines.spec import DestinationSpec
    from platform_pipelines.store import FeedLog, Verdict


def refuse_keyless(context: Context, log: FeedLog, verdict: Verdict) -> None:
    """See that one destination at least can take the rows.

    Raises:
        InvalidData: to all of them a key is missing, or NULL.
    """
    pipeline, schema = context.pipeline, verdict.schema
    if schema is None or not verdict.rows_out or any(spec.mode not in KEYED for spec in pipeline.destinations):
        return
    stored = passed(log, verdict)
    found = [_problem(stored, schema, spec, pipeline.name) for spec in pipeline.destinations]
    problems = [problem for problem in found if problem is not None]
    if problems and len(problems) == len(found):
        raise problems[0]


def _problem(stored: RowFiles, schema: pa.Schema, spec: DestinationSpec, pipeline: str) -> InvalidData | None:
    try:
        check_key(spec, schema, pipeline)
        if _may_be_null(stored, spec.key):
            with duck.session(len(schema)) as connection:
                null_keys(connection, f"(from {placed(stored)})", spec, pipeline)
    except InvalidData as problem:
        return problem
    return None


def _may_be_null(stored: RowFiles, key: tuple[str, ...]) -> bool:
    """Whether one of the columns holds NULL, by the files' own statistics, which count rows that are left out too."""
    import pyarrow.parquet as pq

    for path in stored.paths:
        metadata: Any = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            columns = (group.column(place) for place in range(group.num_columns))
            known = {column.path_in_schema: column.statistics for column in columns}
            counts = [known.get(name) and known[name].null_count for name in key]
            if any(count is None or count > 0 for count in counts):
                return True
    return False
