from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import SchemaDrift
from platform_pipelines.quality import lattice
from platform_pipelines.quality.contract import Drift, compare, fit
from platform_pipelines.spec.quality import SchemaContract

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.quality.conftest import Court

WIDEN = SchemaContract()
REJECT = SchemaContract(type_changes="reject")


def schema(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


def fitted(court: Court, rows: pa.Table, drift: Drift) -> tuple[pa.Table, list[dict[str, Any]]]:
    court.connection.register("batch", rows)
    done = fit(court.connection, "batch", drift)
    bad = court.connection.execute(f'from "{done.rejects}"').to_arrow_table().to_pylist() if done.rejects else []
    return court.connection.execute(f'from "{done.relation}"').to_arrow_table(), bad


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.int32(), pa.uint32(), pa.int64()),
        (pa.uint8(), pa.uint16(), pa.uint16()),
        (pa.int64(), pa.uint64(), pa.decimal128(20, 0)),
        (pa.int64(), pa.decimal128(10, 2), pa.decimal128(22, 2)),
        (pa.decimal128(38, 0), pa.decimal128(5, 2), None),
        (pa.decimal128(5, 2), pa.decimal128(6, 1), pa.decimal128(7, 2)),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.int32(), pa.float64(), pa.float64()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.int64(), pa.float64(), None),
        (pa.decimal128(5, 2), pa.float64(), None),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.date32(), pa.timestamp("us", "UTC"), None),
        (pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), None),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us", "UTC")),
        (pa.null(), pa.int32(), pa.int32()),
        (pa.string(), pa.large_string(), pa.string()),
        (pa.int64(), pa.string(), None),
        (pa.bool_(), pa.int8(), None),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
        (pa.struct([("x", pa.int8())]), pa.struct([("x", pa.int16())]), pa.struct([("x", pa.int16())])),
        (pa.struct([("x", pa.int8())]), pa.struct([("y", pa.int8())]), None),
    ],
)
def test_lattice(left: pa.DataType, right: pa.DataType, joined: pa.DataType | None) -> None:
    assert lattice.join(left, right) == joined
    back = lattice.join(right, left)
    assert back == joined or (back is not None and joined is not None and lattice.same(back, joined))


def test_first_batch_establishes_its_schema() -> None:
    assert compare(None, schema(id=pa.int64()), WIDEN) == Drift(schema(id=pa.int64()))


def test_no_change_says_nothing() -> None:
    drift = compare(schema(id=pa.int64(), t=pa.string()), schema(t=pa.large_string(), id=pa.int32()), WIDEN)
    assert (drift.message, drift.schema) == ("", schema(id=pa.int64(), t=pa.string()))


def test_new_columns(court: Court) -> None:
    before, after = schema(id=pa.int64()), schema(extra=pa.string(), id=pa.int64())
    rows = pa.table({"extra": ["x"], "id": [1]})
    added = compare(before, after, WIDEN)
    assert (added.new, added.message) == (("extra",), "New columns: extra.")
    assert fitted(court, rows, added)[0].to_pylist() == [{"id": 1, "extra": "x"}]
    ignored = compare(before, after, SchemaContract(new_columns="ignore"))
    assert fitted(court, rows, ignored)[0].to_pylist() == [{"id": 1}]
    assert ignored.message == "New columns ignored: extra."
    with pytest.raises(
        SchemaDrift, match=r"New columns: `extra` \(string\)\. `quality.schema_contract.new_columns: fail`"
    ):
        compare(before, after, SchemaContract(new_columns="fail"))


def test_missing_columns(court: Court) -> None:
    before, after = schema(id=pa.int64(), name=pa.string()), schema(id=pa.int64())
    with pytest.raises(SchemaDrift, match=r"Missing columns: `name` \(string\).*missing_columns: fail.*`null` fills"):
        compare(before, after, WIDEN)
    drift = compare(before, after, SchemaContract(missing_columns="null"))
    table, _ = fitted(court, pa.table({"id": [1]}), drift)
    assert (table.to_pylist(), table.schema.field("name").type) == ([{"id": 1, "name": None}], pa.string())


def test_widening_keeps_every_value(court: Court) -> None:
    before = schema(n=pa.int32(), d=pa.date32(), m=pa.decimal128(5, 2), z=pa.null())
    rows = pa.table(
        {
            "n": pa.array([2**40], pa.int64()),
            "d": pa.array([dt.datetime(2020, 1, 1, 5)], pa.timestamp("us")),  # noqa: DTZ001
            "m": pa.array([Decimal("1.125")], pa.decimal128(6, 3)),
            "z": ["now text"],
        }
    )
    drift = compare(before, rows.schema, WIDEN)
    assert next(str(change) for change in drift.changed) == "`n` int32 → int64"
    assert fitted(court, rows, drift)[0].to_pylist() == rows.to_pylist()


def test_narrower_batch_is_cast_without_a_word(court: Court) -> None:
    drift = compare(schema(n=pa.int64()), schema(n=pa.int8()), WIDEN)
    table, bad = fitted(court, pa.table({"n": pa.array([1], pa.int8())}), drift)
    assert (table.schema.field("n").type, drift.message, bad) == (pa.int64(), "", [])


def test_type_without_a_wider_one_is_refused() -> None:
    with pytest.raises(
        SchemaDrift, match=r"`age` int64 → string\. `quality.schema_contract.type_changes: widen`.*`reject`"
    ):
        compare(schema(age=pa.int64()), schema(age=pa.string()), WIDEN)
    with pytest.raises(SchemaDrift, match="type_changes: fail"):
        compare(schema(age=pa.int32()), schema(age=pa.int64()), SchemaContract(type_changes="fail"))


def test_reject_keeps_the_type_and_rejects_what_does_not_fit(court: Court) -> None:
    drift = compare(schema(age=pa.int8(), id=pa.int64()), schema(age=pa.string(), id=pa.int64()), REJECT)
    rows = pa.table({"age": ["7", "1.5", "300", "abc", None], "id": [1, 2, 3, 4, 5]})
    table, bad = fitted(court, rows, drift)
    assert (table.to_pylist(), table.schema.field("age").type) == (
        [{"age": 7, "id": 1}, {"age": None, "id": 5}],
        pa.int8(),
    )
    assert [row["id"] for row in bad] == [2, 3, 4]
    assert bad[0]["_pipelines_rule"] == "schema_contract"
    assert bad[0]["_pipelines_reason"] == "age: '1.5' does not fit the established type TINYINT"


def test_metadata_follows_the_type_that_is_used() -> None:
    old = pa.schema(
        [pa.field("n", pa.string(), metadata={"pg_type": "numeric"}), pa.field("i", pa.int32(), metadata={"a": "b"})]
    )
    new = pa.schema(
        [pa.field("n", pa.string(), metadata={"pg_type": "jsonb"}), pa.field("i", pa.int64(), metadata={"a": "c"})]
    )
    used = compare(old, new, WIDEN).schema
    assert (used.field("n").metadata, used.field("i").metadata) == ({b"pg_type": b"jsonb"}, {b"a": b"c"})
