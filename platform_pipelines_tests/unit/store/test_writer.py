from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.errors import ConnectError
from platform_pipelines.store import effects
from platform_pipelines.store import writer as writers
from platform_pipelines.store.runs import RunLog
from platform_pipelines.store.writer import PartWriter

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema([("id", pa.int64())])


def batch(*ids: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": list(ids)}, schema=SCHEMA)


def test_parts_hold_all_rows_and_their_true_hash(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "a", SCHEMA)
    writer.write(batch(1, 2))
    writer.write(batch())
    writer.write(batch(3))
    (file,) = writer.close()
    path = tmp_path / file.path
    assert pq.read_table(path).column("id").to_pylist() == [1, 2, 3]
    assert (file.rows, file.bytes) == (3, path.stat().st_size)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "a", SCHEMA)
    assert writer.close() == ()
    assert not (tmp_path / "a").exists()


def test_parts_roll_at_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "PART_BYTES", 1)
    writer = PartWriter(tmp_path / "a", SCHEMA, buffer_bytes=1)
    for number in range(3):
        writer.write(batch(number))
    files = writer.close()
    assert [file.path for file in files] == [f"a/part-0000{n}.parquet" for n in range(3)]
    assert [pq.read_table(tmp_path / f.path).num_rows for f in files] == [1, 1, 1]


def test_a_slow_source_is_flushed_by_time(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "a", SCHEMA, flush_seconds=0)
    writer.write(batch(1))
    writer.write(batch(2))
    (file,) = writer.close()
    assert pq.ParquetFile(tmp_path / file.path).num_row_groups == 2


def test_an_error_in_the_background_reaches_the_caller(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where the folder should be")
    writer = PartWriter(tmp_path / "a", SCHEMA)
    writer.write(batch(1))
    with pytest.raises(ConnectError, match="File exists"):
        writer.close()


def test_an_error_stops_later_writes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    writer = PartWriter(tmp_path / "a", SCHEMA, buffer_bytes=1)

    def write_on() -> None:
        for _ in range(1000):
            writer.write(batch(1))

    with pytest.raises(ConnectError, match="File exists"):
        write_on()


def test_abort_removes_the_folder(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "a", SCHEMA, buffer_bytes=1)
    writer.write(batch(1))
    writer.abort()
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_written_is_named_with_the_next_step(tmp_path: Path) -> None:
    in_the_way = tmp_path / "store"
    in_the_way.write_text("a file where a folder should be")
    writer = PartWriter(in_the_way / "a", SCHEMA)
    writer.write(batch(1))
    for attempt in (
        writer.close,
        lambda: effects.create_if_absent(in_the_way / "manifest.json", b""),
        lambda: effects.replace(in_the_way / "offset.json", b""),
        lambda: RunLog(in_the_way).add("p", "pt-1234", "begin", {}),
    ):
        with pytest.raises(
            ConnectError, match=r"log cannot be written at .*store.*: .*\. Make room, .*PIPELINES_STORE"
        ):
            attempt()
