from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.timeunits import cast, parquet_schema, text_schema

if TYPE_CHECKING:
    from collections.abc import Callable

INFINITE = 2**63 - 1
UNITS = ("s", "ms", "us", "ns")


def times(unit: str, *numbers: int | None, zone: str | None = None) -> pa.Array[Any]:
    return pa.array(numbers, pa.int64()).cast(pa.timestamp(unit, zone))


def numbers(column: Any) -> list[int | None]:
    found: list[int | None] = column.view(pa.int64()).to_pylist()
    return found


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("wanted", UNITS)
@pytest.mark.parametrize("unit", UNITS)
def test_infinity_is_infinity_in_every_unit(unit: str, wanted: str, zone: str | None) -> None:
    column = times(unit, INFINITE, None, 0, -INFINITE, zone=zone)
    assert numbers(cast(column, pa.timestamp(wanted, zone))) == [INFINITE, None, 0, -INFINITE]


@pytest.mark.parametrize(("unit", "number", "wanted"), [("s", 2**62, "ms"), ("us", 1, "ms"), ("us", 2**62, "ns")])
def test_beside_it_nothing_is_lost(unit: str, number: int, wanted: str) -> None:
    with pytest.raises(pa.ArrowInvalid):
        cast(times(unit, INFINITE, number), pa.timestamp(wanted))


def test_a_value_that_is_no_time_is_refused_as_arrow_refuses_it() -> None:
    with pytest.raises(pa.ArrowInvalid):
        cast(pa.array(["x"]), pa.int64())


LISTS = [[INFINITE, 1], None, [], [None, -INFINITE]]
ROWS = [{"a": INFINITE, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 1, "b": None}]
PAIRS = [[("x", INFINITE), ("y", 1)], None, [], [("z", -INFINITE)]]
FIXED = [[INFINITE, 1], None, [2, 3], [None, -INFINITE]]


def nested(unit: str, values: list[Any], of: str) -> pa.Array[Any]:
    """Values of numbers, in which the numbers are times: Arrow sees the same bytes in either way."""
    return pa.array(values, kind(of, pa.int64())).view(kind(of, pa.timestamp(unit)))


def kind(of: str, inner: pa.DataType) -> Any:
    kinds: dict[str, Any] = {
        "list": pa.list_(inner),
        "struct": pa.struct([("a", inner), ("b", pa.string())]),
        "map": pa.map_(pa.string(), inner),
        "fixed": pa.list_(inner, 2),
    }
    return kinds[of]


@pytest.mark.parametrize(
    ("of", "values"), [("list", LISTS), ("struct", ROWS), ("map", PAIRS), ("fixed", FIXED)], ids=lambda v: str(v)[:6]
)
@pytest.mark.parametrize("start", [0, 1, 3])
def test_so_it_is_inside_other_values(of: str, values: list[Any], start: int) -> None:
    """Slices too: what Arrow hands out of a batch begins somewhere in the middle."""
    column = nested("s", values, of).slice(start)
    found = cast(column, kind(of, pa.timestamp("ms")))
    thousandfold = _times_thousand(values[start:])
    assert pa.concat_arrays([found]).view(kind(of, pa.int64())).to_pylist() == thousandfold


def _times_thousand(value: Any) -> Any:
    """The numbers of seconds in milliseconds, but infinity."""
    if isinstance(value, list):
        return [_times_thousand(each) for each in value]
    if isinstance(value, tuple):
        return tuple(_times_thousand(each) for each in value)
    if isinstance(value, dict):
        return {name: _times_thousand(each) for name, each in value.items()}
    return value * 1_000 if isinstance(value, int) and abs(value) != INFINITE else value


def test_a_list_becomes_one_of_fixed_length() -> None:
    """As a batch that DuckDB read is given the type that it came in."""
    column = nested("us", [[INFINITE, 1_000], [2_000, -INFINITE]], "list")
    found = cast(column, kind("fixed", pa.timestamp("ms")))
    assert found.view(kind("fixed", pa.int64())).to_pylist() == [[INFINITE, 1], [2, -INFINITE]]


def test_types_that_parquet_and_text_have() -> None:
    seconds = {"plain": pa.timestamp("s", "UTC")} | {
        of: kind(of, pa.timestamp("s")) for of in ("list", "struct", "map", "fixed")
    }
    schema = pa.schema({**seconds, "large": pa.large_list(pa.timestamp("s")), "fine": pa.timestamp("ns")})
    for changed, unit in ((parquet_schema(schema), "ms"), (text_schema(schema), "us")):
        expected = {"plain": pa.timestamp(unit, "UTC")} | {
            of: kind(of, pa.timestamp(unit)) for of in ("list", "struct", "map", "fixed")
        }
        assert changed == pa.schema(
            {**expected, "large": pa.large_list(pa.timestamp(unit)), "fine": pa.timestamp("ns")}
        )


def test_names_metadata_and_nullability_stay() -> None:
    item = pa.field("given", pa.timestamp("s"), nullable=False)
    field = pa.field("x", pa.list_(item), metadata={"k": "v"})
    changed = parquet_schema(pa.schema([field], metadata={"m": "n"}))
    assert changed.field("x").metadata == {b"k": b"v"}
    assert changed.metadata == {b"m": b"n"}
    assert changed.field("x").type == pa.list_(item.with_type(pa.timestamp("ms")))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("schema_in", [parquet_schema, text_schema])
def test_a_map_without_other_units_keeps_its_type(
    schema_in: Callable[[pa.Schema], pa.Schema], *, ordered: bool
) -> None:
    item = pa.field("value", pa.int64(), nullable=False, metadata={"a": "b"})
    schema = pa.schema([("m", pa.map_(pa.string(), item, keys_sorted=ordered))])
    assert schema_in(schema).equals(schema, check_metadata=True)
