"""What the files destination leaves in a table's folder, also when a load dies."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData, StoreCorrupt
from platform_pipelines.formats import folder
from platform_pipelines.formats.folder_manifest import MANIFEST
from platform_pipelines.model import Feed, Offset, Stream, Window
from platform_pipelines.rowfiles import RowFiles
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import records, versions


def _lake(root: Path, file_format: Any = "parquet", **options: Any) -> FilesConnector:
    return FilesConnector(root=str(root), format=file_format, options=options)


def _read(lake: FilesConnector, table: str = "t") -> list[dict[str, Any]]:
    return records(list(lake.read(Stream(table), Window(), None)))


def _files(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "t").iterdir() if not p.name.startswith("_"))


def test_names_say_feed_epoch_and_sequence(tmp_path: Path) -> None:
    Loading(_lake(tmp_path), "append", "t", Feed("flights", "2013-01-01")).load(versions((1, "a", 1)))
    (name,) = _files(tmp_path)
    assert name.startswith("flights-2013-01-01-")
    assert name.endswith("-e000001-s000001-0000.parquet")


def test_a_load_that_died_before_its_commit_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    loading.load(versions((1, "a", 1)))
    with monkeypatch.context() as patched:
        patched.setattr(folder, "write_manifest", _die)
        with pytest.raises(KeyboardInterrupt):
            loading.attempt(versions((2, "b", 1)))
    assert len(_files(tmp_path)) == 2
    assert [r["id"] for r in _read(loading.destination)] == [1]
    loading.load(versions((2, "b", 1)))
    assert [r["id"] for r in _read(loading.destination)] == [1, 2]
    assert len(_files(tmp_path)) == 2


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_files_of_users_stay(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "replace", "t")
    loading.load(versions((1, "a", 1)), fresh=True)
    pq.write_table(versions((9, "mine", 1)), tmp_path / "t" / "mine.parquet")
    loading.refresh(versions((2, "b", 1)))
    assert "mine.parquet" in _files(tmp_path)
    assert len(_files(tmp_path)) == 2
    assert [r["id"] for r in _read(loading.destination)] == [2]


def test_a_merge_rewrites_only_files_that_hold_its_keys(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "merge", "t")
    loading.load(versions((1, "a", 1)))
    loading.load(versions((2, "b", 1), (3, "c", 1)))
    before = set(_files(tmp_path))
    loading.load(versions((3, "C", 2)))
    after = set(_files(tmp_path))
    assert len(before & after) == 1
    assert any("~v000003" in name for name in after)
    assert sorted((r["id"], r["value"]) for r in _read(loading.destination)) == [(1, "a"), (2, "b"), (3, "C")]


def test_landed_files_are_linked_not_encoded_anew(tmp_path: Path) -> None:
    source = tmp_path / "landed.parquet"
    rows = versions((1, "a", 1))
    pq.write_table(rows, source)
    loading = Loading(_lake(tmp_path), "append", "t")
    receipt = loading.load(rows, stored=RowFiles((source,)))
    (name,) = _files(tmp_path)
    assert receipt.loaded == 1
    assert (tmp_path / "t" / name).stat().st_ino == source.stat().st_ino


def test_files_roll_at_the_buffer_size(tmp_path: Path) -> None:
    rows = pa.table({"id": list(range(1_000)), "value": ["x" * 100] * 1_000})
    lake = _lake(tmp_path, "csv", compression="gzip")
    loading = Loading(lake, "append", "t")
    lake.load(loading.next(rows.schema, 1_000, buffer_bytes=20_000), rows.to_reader(max_chunksize=100))
    assert len(_files(tmp_path)) > 3
    assert [r["id"] for r in _read(lake)] == list(range(1_000))


def test_an_emptied_table_keeps_its_columns(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "replace", "t")
    loading.load(versions((1, "a", 1)), fresh=True)
    loading.refresh(versions())
    pages = list(loading.destination.read(Stream("t"), Window(), None))
    assert records(pages) == []
    assert pages[0].batches[0].schema.names == ["id", "value", "version"]


def test_bookkeeping_columns_stay_out(tmp_path: Path) -> None:
    rows = versions((1, "a", 1)).append_column("_pipelines_cursor", pa.array([7]))
    plain = Loading(_lake(tmp_path), "append", "plain")
    plain.load(rows)
    assert "_pipelines_cursor" not in _read(plain.destination, "plain")[0]
    merged = Loading(_lake(tmp_path), "merge", "merged")
    merged.load(rows, cursor="_pipelines_cursor")
    older = versions((1, "old", 9)).append_column("_pipelines_cursor", pa.array([6]))
    assert merged.load(older, cursor="_pipelines_cursor").superseded == 1


def test_columns_of_no_common_type_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    loading.load(versions((1, "a", 1)))
    with pytest.raises(InvalidData, match="Column 'value' is string in the table and int64 in the load"):
        loading.attempt(pa.table({"id": [2], "value": [3]}))
    assert len(_files(tmp_path)) == 1


def test_a_column_of_dates_takes_timestamps(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    midnight, noon = dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 12)  # noqa: DTZ001 - naive, as in the file
    loading.load(pa.table({"id": [1], "day": pa.array([midnight.date()])}))
    loading.load(pa.table({"id": [2], "day": pa.array([noon], pa.timestamp("us"))}))
    loading.load(pa.table({"id": [3], "day": pa.array([midnight.date()])}))
    assert [row["day"] for row in _read(loading.destination)] == [midnight, noon, midnight]


def test_a_plan_names_new_columns(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    rows = versions((1, "a", 1))
    loading.load(rows.drop_columns("version"))
    assert loading.destination.plan_load(loading.next(rows.schema, 1)).ddl == ("add column version int64",)
    assert loading.load(rows).ddl == ("add column version int64",)


def test_a_damaged_manifest_is_not_overwritten(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    loading.load(versions((1, "a", 1)))
    (tmp_path / "t" / MANIFEST).write_text("{")
    with pytest.raises(StoreCorrupt, match="is not a readable commit file"):
        loading.load(versions((2, "b", 1)))


def test_the_manifest_lists_what_is_live(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path), "append", "t")
    loading.load(versions((1, "a", 1), (2, "b", 1)))
    content = json.loads((tmp_path / "t" / MANIFEST).read_text())
    (entry,) = content["files"]
    assert entry["feed"] == "people"
    assert entry["rows"] == 2
    assert entry["bytes"] == (tmp_path / "t" / entry["name"]).stat().st_size
    assert content["offsets"]["people"]["token"] == "pt-contract"  # noqa: S105 - no secret


@pytest.mark.parametrize("table", ["../t", "/t", ""])
def test_tables_outside_the_root_are_refused(tmp_path: Path, table: str) -> None:
    with pytest.raises(InvalidData, match="Table"):
        _lake(tmp_path / "lake").offset(Feed("x"), table)


_KILLED = """
import os, sys
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.formats import folder
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import versions
step, root = int(sys.argv[1]), sys.argv[2]
calls = iter(range(100))
def dying(name):
    original = getattr(os, name)
    def call(*args, **kwargs):
        if next(calls) == step:
            os.kill(os.getpid(), 9)
        return original(*args, **kwargs)
    setattr(os, name, call)
loading = Loading(FilesConnector(root=root), "merge", "t")
loading.load(versions((1, "a", 1), (2, "b", 1)))
for name in ("fsync", "rename", "unlink"):
    dying(name)
loading.load(versions((2, "B", 2), (3, "c", 2)))
"""


@pytest.mark.parametrize("step", range(8))
def test_a_load_killed_at_any_step_is_whole_after_the_next(tmp_path: Path, step: int) -> None:
    subprocess.run(
        [sys.executable, "-c", _KILLED, str(step), str(tmp_path)], check=False, cwd=Path(__file__).parents[2]
    )
    lake = _lake(tmp_path)
    loading = Loading(lake, "merge", "t")
    done = lake.offset(loading.feed, "t")
    found = sorted((r["id"], r["value"]) for r in _read(lake, "t"))
    new = [(1, "a"), (2, "B"), (3, "c")]
    assert found == (new if done == Offset(1, 2) else [(1, "a"), (2, "b")])
    assert done is not None
    loading.sequence = done.sequence
    loading.load(versions((2, "B", 2), (3, "c", 2)))
    assert sorted((r["id"], r["value"]) for r in _read(lake, "t")) == new
    live = {entry["name"] for entry in json.loads((tmp_path / "t" / MANIFEST).read_text())["files"]}
    assert set(_files(tmp_path)) == live
