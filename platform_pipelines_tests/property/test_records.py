"""Values survive the way to the isolated process and back, whatever they are."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_pipelines.isolated import child_values, tagged
from platform_pipelines.transforms.record_values import _answered

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
#: without a zone, a fold says nothing
MICRO = st.datetimes(timezones=st.none()).map(lambda moment: moment.replace(fold=0))
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "bigint": st.integers(-(10**37), 10**37),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": TEXTS,
    "bytes": st.binary(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9),
    "date": st.dates(),
    "datetime": MICRO,
    "instant": st.datetimes(timezones=st.just(dt.UTC)),
    "time": st.times(),
}
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary() | st.dates() | MICRO | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS.filter(lambda key: key != tagged.TAG), inner),
    max_leaves=8,
)  # fmt: skip


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.copysign(1, left) == math.copysign(1, right) and (left == right or left != left)  # noqa: PLR0124 - NaN
    return bool(left == right)


@pytest.mark.parametrize("kind", SCALARS)
def test_a_column_that_the_child_writes_is_read_by_the_host(kind: str) -> None:
    @given(st.lists(st.none() | SCALARS[kind], min_size=1))
    def check(values: list[Any]) -> None:
        header, buffers = child_values.encode(values)
        found = _answered({"name": "x", **header}, buffers, len(values))
        assert found.misfits == {}
        assert found.array is not None
        assert all(same(a, b) for a, b in zip(found.array.to_pylist(), values, strict=True))

    check()


@given(NESTED)
def test_nested_values_survive_as_text(value: Any) -> None:
    found = tagged.loads(tagged.dumps(value))
    assert tagged.dumps(found) == tagged.dumps(value)
    assert repr(found) == repr(value)


@given(
    st.dictionaries(TEXTS, st.none() | st.integers() | TEXTS),
    st.lists(st.binary(max_size=40), max_size=4),
    st.integers(0, 10),
)
def test_no_answer_breaks_the_host(header: dict[str, Any], buffers: list[bytes], rows: int) -> None:
    from platform_pipelines.errors import InvalidData
    from platform_pipelines.transforms.record_values import read_answer

    for kind in (*SCALARS, "json", "same", "null", "other"):
        column = {"name": "x", "kind": kind, "nulls": bool(rows % 2), "buffers": len(buffers), **header}
        try:
            answer = read_answer({"columns": [column], "failed": 0}, [b"\1" * rows, *buffers, *[b""] * 4], rows)
        except InvalidData as error:
            assert "cannot be read" in str(error)  # noqa: PT017 - either way is right
        else:
            assert all(each.array is None or len(each.array) == rows for each in answer.columns)


def test_a_decimal_keeps_its_digits() -> None:
    assert tagged.loads(tagged.dumps([Decimal("1.10")])) == [Decimal("1.10")]
    assert str(tagged.loads(tagged.dumps([Decimal("1.10")]))[0]) == "1.10"
