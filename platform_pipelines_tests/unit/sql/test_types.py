from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_pipelines.sql import duckdb_types, postgres_types
from platform_pipelines.sql.arrow_types import parquet_safe, plain_schema
from platform_pipelines.sql.types import ColumnType, grown

_POSTGRES = [
    "smallint", "integer", "bigint", "real", "double precision", "numeric", "numeric(10,2)", "numeric(5,-2)", "boolean",
    "text", "character varying(10)", "character(5)", "bytea", "date", "uuid", "interval", "json", "jsonb", "inet",
    "timestamp without time zone", "timestamp(3) with time zone", "time(0) without time zone", "time with time zone",
    "bit varying(8)", "interval day to second", "raw.mood", "integer[]", "numeric(10,2)[]", "timestamp(3) with time zone[]",
]  # fmt: skip
_DUCKDB = [
    "TINYINT", "UBIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL(38,10)", "VARCHAR", "BLOB", "DATE", "TIME", "JSON", "UUID",
    "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "INTERVAL", "BOOLEAN", "VARCHAR[][]", "MAP(VARCHAR, DECIMAL(4,2)[])",
    'STRUCT("a" BIGINT, "b, ""c" STRUCT("d" VARCHAR[]))', "ENUM('a', 'b')", "BIT",
]  # fmt: skip


@pytest.mark.parametrize("text", _POSTGRES)
def test_postgres_types_there_and_back(text: str) -> None:
    assert postgres_types.render(postgres_types.parse(text)) == text


@pytest.mark.parametrize("text", _DUCKDB)
def test_duckdb_types_there_and_back(text: str) -> None:
    assert duckdb_types.render(duckdb_types.parse(text)) == text


_ints = st.builds(ColumnType, st.just("int"), st.sampled_from([8, 16, 32, 64]), signed=st.booleans())
_decimals = st.integers(0, 10).flatmap(
    lambda s: st.builds(ColumnType, st.just("decimal"), st.integers(max(s, 1), 20), st.just(s))
)
_floats = st.builds(ColumnType, st.just("float"), st.sampled_from([32, 64]))
_others = st.sampled_from([ColumnType(f) for f in ("text", "bool", "date", "timestamptz", "json", "uuid")])  # type: ignore[arg-type]
_types = _ints | _decimals | _floats | _others | st.builds(ColumnType, st.just("timestamp"), st.sampled_from([3, 6, 9]))


@given(have=_types, incoming=_types)
def test_a_grown_type_holds_both_and_grows_no_more(have: ColumnType, incoming: ColumnType) -> None:
    target = grown(have, incoming)
    if target is None:
        return
    assert grown(target, incoming) == target
    if target.family == "decimal" and have.family == "decimal":
        assert (target.size or 0) - target.scale >= (have.size or 0) - have.scale
        assert target.scale >= have.scale


@given(column=_types)
def test_a_type_holds_itself(column: ColumnType) -> None:
    assert grown(column, column) == column


@pytest.mark.parametrize(
    ("have", "incoming"),
    [("integer", "text"), ("timestamp without time zone", "timestamp with time zone"), ("numeric(10,2)", "double precision"),
     ("real", "bigint"), ("bytea", "text"), ("boolean", "integer"), ("integer[]", "text[]")],
)  # fmt: skip
def test_no_type_holds_both(have: str, incoming: str) -> None:
    assert grown(postgres_types.parse(have), postgres_types.parse(incoming)) is None


@pytest.mark.parametrize(
    ("arrow", "declared", "expected"),
    [
        (pa.string(), "numeric", "numeric"),
        (pa.string(), "character varying(5)", "character varying(5)"),
        (pa.string(), "integer", "text"),  # a transform turned the number into text
        (pa.int64(), "integer", "bigint"),  # or widened it
        (pa.int32(), "integer", "integer"),
        (pa.decimal128(10, 2), "numeric(12,2)", "numeric(10,2)"),
        (pa.string(), "gone.mood", "text"),  # no such type here
        (pa.list_(pa.string()), "numeric[]", "numeric[]"),
        (pa.int64(), "jsonb", "bigint"),
    ],
)
def test_the_declared_type_counts_while_it_agrees(arrow: pa.DataType, declared: str, expected: str) -> None:
    field = pa.field("x", arrow, metadata={b"pg_type": declared.encode()})
    assert postgres_types.render(postgres_types.incoming(field, lambda name: name != "gone.mood")) == expected


def test_what_duckdb_would_misread_from_a_file() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.struct([("c", pa.duration("us"))]))])
    assert not parquet_safe(schema)
    assert parquet_safe(schema.remove(1))
    odd = pa.schema(
        [("a", pa.list_(pa.decimal256(50, 2))), ("b", pa.map_(pa.string(), pa.time32("s"))), ("c", pa.date64())]
    )
    assert plain_schema(odd, nanoseconds=True) == pa.schema(
        [("a", pa.list_(pa.string())), ("b", pa.map_(pa.string(), pa.time64("us"))), ("c", pa.date32())]
    )
