"""Columns of table folders whose types meet: every value stays, or the load is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path

_LAST = "9999-12-31T23:59:59"
_MONEY = pa.decimal128(10, 2)


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("old", "new", "values"),
    [
        (pa.int64(), pa.uint64(), (-(2**63), 2**64 - 1)),
        (pa.uint64(), pa.int8(), (2**64 - 1, -1)),
        (pa.int64(), _MONEY, (2**63 - 1, Decimal("1.50"))),
        (_MONEY, pa.uint64(), (Decimal("1.50"), 2**64 - 1)),
        (_MONEY, pa.int32(), (Decimal("1.50"), 2**31 - 1)),
        (pa.int32(), pa.float64(), (2**31 - 1, 0.1)),
        (pa.int16(), pa.float32(), (-(2**15), 0.5)),
    ],
)
def test_what_a_common_type_holds_stays(
    tmp_path: Path, file_format: Any, old: pa.DataType, new: pa.DataType, values: tuple[Any, Any]
) -> None:
    loading = Loading(FilesConnector(root=str(tmp_path), format=file_format), "merge", "t")
    loading.load(pa.table({"id": [1], "v": pa.array(values[:1], old)}))
    loading.load(pa.table({"id": [2], "v": pa.array(values[1:], new)}))
    held = [row["v"] for batch in loading.destination.holds("t", ["v"], None) for row in batch.to_pylist()]
    assert sorted(held) == sorted(values)


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("first", ["dates", "timestamps"])
def test_dates_and_timestamps_meet_however_far_away(tmp_path: Path, file_format: Any, unit: Any, first: str) -> None:
    days = pa.table({"id": [1, 2], "v": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)])})
    times = pa.table({"id": [3, 4], "v": pa.array(["0001-01-01T00:00:00", _LAST]).cast(pa.timestamp(unit))})
    loading = Loading(FilesConnector(root=str(tmp_path), format=file_format), "merge", "t")
    for rows in (days, times) if first == "dates" else (times, days):
        loading.load(rows)
    loading.load(days.slice(0, 1))
    loading.load(times.slice(0, 1))
    held = [row["v"].isoformat() for b in loading.destination.holds("t", ["v"], None) for row in b.to_pylist()]
    assert sorted(held) == ["0001-01-01T00:00:00", "0001-01-01T00:00:00", "9999-12-31T00:00:00", _LAST]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (pa.binary(), pa.string(), "abcd"),
        (pa.int64(), pa.float64(), 0.5),
        (_MONEY, pa.float32(), 0.5),
        (pa.float64(), pa.uint64(), 2**64 - 1),
        (pa.decimal128(38, 30), pa.int64(), 2**62),
    ],
)
def test_what_no_type_holds_is_refused(tmp_path: Path, old: pa.DataType, new: pa.DataType, value: Any) -> None:
    loading = Loading(FilesConnector(root=str(tmp_path), format="csv"), "append", "t")
    loading.load(pa.table({"id": [1], "v": pa.array([None], old)}))
    with pytest.raises(InvalidData, match="no type holds both"):
        loading.load(pa.table({"id": [2], "v": pa.array([value], new)}))
