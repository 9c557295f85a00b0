"""Decimals that no decimal of DuckDB holds both of: refused, never turned into text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines import duck
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.errors import SchemaDrift
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path


def _rows(kind: pa.DataType, value: object) -> pa.Table:
    return pa.table({"id": [1], "d": pa.array([value], kind)})


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        ((pa.decimal128(38, 29), Decimal("0.5")), (pa.decimal128(20, 5), Decimal("1.5")), r"DECIMAL\(38,29\)"),
        ((pa.int64(), 7), (pa.decimal128(38, 29), Decimal("0.5")), "BIGINT"),
        (
            (pa.list_(pa.decimal128(38, 29)), [Decimal("0.5")]),
            (pa.list_(pa.decimal128(20, 5)), [Decimal("1.5")]),
            r"DECIMAL\(38,29\)\[\]",
        ),
    ],
)
def test_a_common_decimal_of_more_than_38_digits_is_refused(
    tmp_path: Path, first: tuple[pa.DataType, object], then: tuple[pa.DataType, object], words: str
) -> None:
    warehouse = DuckDBConnector(path=tmp_path / "w.duckdb")
    loading = Loading(warehouse, "append", "t")
    loading.load(_rows(*first))
    with pytest.raises(SchemaDrift, match=f"Column 'd' of t is {words}, but .* and no type holds both exactly"):
        loading.attempt(_rows(*then))
    with duck.connect(warehouse.path) as connection:
        held = connection.execute("select d from t").fetchall()
    assert held == [(first[1],)]


def test_a_common_decimal_of_38_digits_is_taken(tmp_path: Path) -> None:
    warehouse = DuckDBConnector(path=tmp_path / "w.duckdb")
    loading = Loading(warehouse, "append", "t")
    loading.load(_rows(pa.decimal128(38, 5), Decimal("1.5")))
    loading.load(_rows(pa.decimal128(20, 5), Decimal("2.5")))
    loading.load(_rows(pa.decimal128(3, 0), Decimal(3)))
    with duck.connect(warehouse.path) as connection:
        held = connection.execute("select d, typeof(d) from t order by d").fetchall()
    assert held == [(Decimal(number), "DECIMAL(38,5)") for number in ("1.5", "2.5", "3")]
