"""Table folders whose connection changes between two loads: every row stays, and every file has the new form."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.folder_manifest import MANIFEST, read_manifest
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Mode

_FORMS: dict[str, dict[str, Any]] = {
    "plain": {"format": "csv"},
    "delimiter": {"format": "csv", "options": {"delimiter": ";"}},
    "quote": {"format": "csv", "options": {"quote": "'"}},
    "null": {"format": "csv", "options": {"null_values": ["NA"]}},
    "names": {"format": "csv", "options": {"header": False, "names": ["v", "id"]}},
    "gzip": {"format": "csv", "options": {"compression": "gzip"}},
    "jsonl": {"format": "jsonl"},
    "packed": {"format": "jsonl", "options": {"compression": "zstd"}},
    "parquet": {"format": "parquet"},
}
_FIRST = {1: "a,b", 2: "", 3: "NA", 4: None, 5: "c;d", 6: '"\'"', 7: "x\ny"}
_SECOND = {3: "neu", 8: "", 9: None}


def _table(values: dict[int, str | None]) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64()), "v": pa.array(values.values(), pa.string())})


def _lake(root: Path, form: dict[str, Any]) -> FilesConnector:
    return FilesConnector(root=str(root), **{**form, "options": TextOptions(**form.get("options", {}))})


def _held(lake: FilesConnector) -> list[dict[str, Any]]:
    rows = [row for batch in lake.holds("t", ["id", "v", "w"], None) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row["id"])


def _streamed(lake: FilesConnector) -> list[dict[str, Any]]:
    pages = lake.read(Stream("t", expected=_table({}).schema), Window(), None)
    rows = [row for page in pages for batch in page.batches for row in batch.to_pylist()]
    return sorted(({"id": row["id"], "v": row["v"]} for row in rows), key=lambda row: row["id"])


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize(("old", "new"), list(permutations(_FORMS, 2)))
def test_a_table_follows_its_connection(tmp_path: Path, old: str, new: str, mode: Mode) -> None:
    Loading(_lake(tmp_path, _FORMS[old]), "append", "t").load(_table(_FIRST))
    lake = _lake(tmp_path, _FORMS[new])
    second = _SECOND if mode == "merge" else {key: value for key, value in _SECOND.items() if key not in _FIRST}
    receipt = Loading(lake, mode, "t", sequence=1).load(_table(second))
    assert receipt.loaded == len(second)
    expected = _table(_FIRST | second).to_pylist()
    assert _held(lake) == expected
    assert _streamed(lake) == expected
    (ending,) = {path.name.partition(".")[2] for path in (tmp_path / "t").iterdir() if "pipelines" not in path.name}
    assert ending == read_manifest(tmp_path / "t").form.ending  # type: ignore[union-attr]


def test_a_form_that_was_not_noted_counts_as_that_of_the_connection(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _FORMS["delimiter"])
    Loading(lake, "append", "t").load(_table(_FIRST))
    path = tmp_path / "t" / MANIFEST
    noted = path.read_text()
    path.write_text(noted.replace('"form": {', '"unknown": {'))
    assert path.read_text() != noted
    assert read_manifest(tmp_path / "t").form is None
    (first,) = read_manifest(tmp_path / "t").files
    Loading(lake, "append", "t", sequence=1).load(_table({10: "x"}))
    assert first in read_manifest(tmp_path / "t").files, "it is not written anew"


def test_a_file_of_a_form_that_was_not_noted_is_merged_as_the_connection_says(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _FORMS["delimiter"])
    Loading(lake, "append", "t").load(_table(_FIRST))
    path = tmp_path / "t" / MANIFEST
    path.write_text(path.read_text().replace('"form": {', '"unknown": {'))
    assert read_manifest(tmp_path / "t").form is None
    Loading(lake, "merge", "t", sequence=1).load(_table(_SECOND))
    assert _held(lake) == _streamed(lake) == _table(_FIRST | _SECOND).to_pylist()


def test_nothing_is_written_anew_where_the_form_is_the_same(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path, _FORMS["gzip"]), "append", "t")
    loading.load(_table(_FIRST))
    (first,) = read_manifest(tmp_path / "t").files
    loading.load(_table({10: "x"}))
    assert first in read_manifest(tmp_path / "t").files


def test_without_a_header_columns_have_one_order(tmp_path: Path) -> None:
    lake = _lake(tmp_path, {"format": "csv", "options": {"header": False}})
    loading = Loading(lake, "merge", "t")
    loading.load(pa.table({"id": [1], "v": ["v1"], "w": ["w1"]}))
    loading.load(pa.table({"w": ["w2"], "v": ["v2"], "id": [2]}))
    loading.load(pa.table({"id": [3], "w": ["w3"]}))
    assert _held(lake) == [
        {"id": 1, "v": "v1", "w": "w1"},
        {"id": 2, "v": "v2", "w": "w2"},
        {"id": 3, "v": None, "w": "w3"},
    ]
    texts = sorted(path.read_text() for path in (tmp_path / "t").glob("*.csv"))
    assert texts == ["1,v1,w1\n", "2,v2,w2\n", "3,,w3\n"]


def test_without_a_header_a_new_column_is_written_into_all_files(tmp_path: Path) -> None:
    lake = _lake(tmp_path, {"format": "csv", "options": {"header": False}})
    loading = Loading(lake, "append", "t")
    loading.load(pa.table({"id": [1], "v": ["v1"]}))
    loading.load(pa.table({"w": ["w2"], "id": [2]}))
    assert sorted(path.read_text() for path in (tmp_path / "t").glob("*.csv")) == ["1,v1,\n", "2,,w2\n"]
    assert _held(lake) == [{"id": 1, "v": "v1", "w": None}, {"id": 2, "v": None, "w": "w2"}]


def test_without_a_header_a_column_that_names_lack_is_refused(tmp_path: Path) -> None:
    loading = Loading(_lake(tmp_path, _FORMS["names"]), "append", "t")
    with pytest.raises(InvalidData, match="cannot hold column 'w': `names` of the connection are v, id"):
        loading.load(pa.table({"id": [1], "w": ["w1"]}))
    assert not list((tmp_path / "t").glob("*.csv"))


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_rows_written_anew_are_not_counted_as_loaded(tmp_path: Path, file_format: Any) -> None:
    lake = _lake(tmp_path, {"format": file_format})
    Loading(lake, "append", "t").load(pa.table({"id": [1, 2], "v": ["a", "b"]}))
    other = Loading(_lake(tmp_path, _FORMS["jsonl"]), "append", "t", sequence=1)
    assert other.load(_table({3: "c"})).loaded == 1
