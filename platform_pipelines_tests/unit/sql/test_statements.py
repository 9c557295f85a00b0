from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData, OffsetConflict
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines.sql import offsets
from platform_pipelines.sql.statements import Statements
from platform_pipelines.sql.tables import TableName, check_lengths
from platform_pipelines.sql.types import TEXT, ColumnType

_SCHEMA = pa.schema([("id", pa.int64()), ("v", pa.string()), ("at", pa.string())])


def _statements(**changes: Any) -> Statements:
    fields: dict[str, Any] = {"mode": "merge", "key": ("id",), "cursor": "at", **changes}
    load = Load(Feed("p", "o'k"), "raw.t", fields.pop("mode"), _SCHEMA, Offset(1, 1), 0, "pt", **fields)
    values = {"id": 's."id"', "v": 's."v"', "at": 's."at"'}
    have = {"id": ColumnType("int", 64), "v": TEXT, "at": TEXT}
    return Statements(TableName("raw", "t"), "stage", load, values, have, marked=True, byte_order=' collate "C"')


def test_update_compares_the_cursor() -> None:
    assert _statements().update() == (
        'update "raw"."t" as t set "v" = s."v", "at" = s."at", "_pipelines_feed" = \'p/o\'\'k\' from stage as s '
        'where t."id" = s."id" and (s."at" >= t."at" collate "C" or t."at" collate "C" is null '
        "or (t.\"_pipelines_feed\" = 'p/o''k' and s.\"at\" is null))"
    )
    assert _statements(cursor=None).update().endswith('where t."id" = s."id"')
    assert "or t.\"_pipelines_feed\" = 'p/o''k')" in _statements(fresh=True).update()


def test_insert_new_and_hard_deletes() -> None:
    soft = _statements(delete_field="v")
    assert soft.delete_marked() is None
    assert soft.insert_new() == (
        'insert into "raw"."t" ("id", "v", "at", "_pipelines_feed") select s."id", s."v", s."at", \'p/o\'\'k\' from stage as s '
        'where not exists (select 1 from "raw"."t" as t where t."id" = s."id")'
    )
    hard = _statements(delete_field="v", delete_action="hard")
    assert hard.insert_new().endswith(' and s."v" is null')
    assert hard.insert_all().endswith('from stage as s where s."v" is null')
    assert 's."v" is not null' in (hard.delete_marked() or "")


def test_merge_updates_and_inserts() -> None:
    assert _statements(cursor=None).merge() == (
        'merge into "raw"."t" as t using stage as s on t."id" = s."id" '
        'when matched then update set "v" = s."v", "at" = s."at", "_pipelines_feed" = \'p/o\'\'k\' '
        'when not matched then insert ("id", "v", "at", "_pipelines_feed") '
        'values (s."id", s."v", s."at", \'p/o\'\'k\')'
    )
    hard = _statements(delete_field="v", delete_action="hard", own=True).merge()
    assert 'when matched and s."v" is null and (s."at" >= t."at" collate "C" or ' in hard
    assert " and t.\"_pipelines_feed\" = 'p/o''k' then update" in hard
    assert 'when not matched and s."v" is null then insert' in hard


def test_a_load_must_follow_on_what_is_there() -> None:
    load = _statements(previous=Offset(1, 3)).load
    offsets.check(load, Offset(1, 3))
    with pytest.raises(OffsetConflict, match=r"holds epoch 2, batch 1 .* follows on epoch 1, batch 3"):
        offsets.check(load, Offset(2, 1))
    with pytest.raises(OffsetConflict, match="holds nothing"):
        offsets.check(load, None)


def test_table_names() -> None:
    assert TableName.parse("t", "main") == TableName("main", "t")
    assert TableName.parse('a."b.c', "main").sql == '"a"."""b.c"'
    for bad in ("", ".t", "a.", "a.\x00"):
        with pytest.raises(InvalidData, match="is not a table"):
            TableName.parse(bad, "main")


def test_lengths_are_counted_in_bytes() -> None:
    check_lengths(["ü" * 31], 63, "PostgreSQL")
    with pytest.raises(InvalidData, match="has 64 bytes"):
        check_lengths(["ü" * 32], 63, "PostgreSQL")
