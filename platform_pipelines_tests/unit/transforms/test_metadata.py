from __future__ import annotations

import pyarrow as pa

from platform_pipelines.transforms.metadata import carry_metadata

BEFORE = pa.schema([pa.field("n", pa.string(), metadata={"pg_type": "numeric"}), pa.field("j", pa.string())])


def test_unchanged_columns_get_their_metadata_back() -> None:
    after = pa.schema([("renamed", pa.string()), ("n", pa.string()), ("new", pa.int64())])
    carried = carry_metadata(BEFORE, after, {"renamed": "n"})
    assert carried.field("renamed").metadata == {b"pg_type": b"numeric"}
    assert carried.field("n").metadata is None
    assert carried.field("new").metadata is None


def test_without_origins_equal_name_and_type_count_as_unchanged() -> None:
    assert carry_metadata(BEFORE, pa.schema([("n", pa.string())])).field("n").metadata == {b"pg_type": b"numeric"}
    assert carry_metadata(BEFORE, pa.schema([("n", pa.int64())])).field("n").metadata is None
