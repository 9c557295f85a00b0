"""Filters that leave some rows out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from platform_pipelines.rows import all_but


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 64, 65])
def test_all_rows_but_those_of_the_numbers_are_left(rows: int) -> None:
    numbers = [number for number in range(rows) if number % 3 == 0 or number > 62]
    left = [number for number in range(rows) if number not in numbers]
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    assert table.filter(all_but(rows, numbers)).column("n").to_pylist() == left
    assert table.filter(all_but(rows, pa.array(numbers, pa.int32()))).column("n").to_pylist() == left
