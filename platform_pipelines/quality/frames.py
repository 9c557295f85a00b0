"""Arrow rows as the pandas frame that pandera validates.

Columns are Arrow-backed, which keeps their types. Only integers beyond 2**53
become Python objects: pandera joins its reports of several columns into one
column, and Arrow refuses to put such integers beside floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXACT_IN_DOUBLE = 2**53


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """The rows with a range index, bookkeeping columns left out."""
    import pandas as pd

    wanted = [name for name in rows.schema.names if not name.startswith("_pipelines_")]
    frame = rows.select(wanted).to_pandas(types_mapper=pd.ArrowDtype)
    for name in wanted:
        if _beyond_doubles(rows[name]):
            frame[name] = pd.Series(rows[name].to_pylist(), dtype=object)
    return frame


def _beyond_doubles(column: pa.ChunkedArray[Any]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type):
        return False
    found = pc.min_max(column)
    extremes = (found["min"].as_py(), found["max"].as_py())
    return any(value is not None and abs(value) > _EXACT_IN_DOUBLE for value in extremes)
