"""Arrow rows as the pandas frame that pandera validates.

Columns are Arrow-backed, which keeps their types, but for numbers: Arrow has no
``%``, so integers and floats get pandas' nullable types, which hold the same
values. Only integers beyond 2**53 become Python objects: pandera joins its
reports of several columns into one column, and refuses to put such integers
beside floats.
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
    frame = rows.select(wanted).to_pandas(types_mapper=_dtype)
    for name in wanted:
        if _beyond_doubles(rows[name]):
            frame[name] = pd.Series(rows[name].to_pylist(), dtype=object)
    return frame


def _dtype(kind: pa.DataType) -> Any:  # noqa: ANN401 - a pandas type
    import pandas as pd

    names = {"float": "Float32", "double": "Float64"} | {
        f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
    }
    name = names.get(str(kind))
    return pd.ArrowDtype(kind) if name is None else pd.api.types.pandas_dtype(name)


def _beyond_doubles(column: pa.ChunkedArray[Any]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type):
        return False
    found = pc.min_max(column)
    extremes = (found["min"].as_py(), found["max"].as_py())
    return any(value is not None and abs(value) > _EXACT_IN_DOUBLE for value in extremes)
