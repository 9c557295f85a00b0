"""Folders named ``column=value``: columns of Parquet files below the root, and nothing at all above it."""

from __future__ import annotations

import io
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.api.pipeline import Pipeline
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import ValueSlice, Window
from platform_pipelines_tests.unit.drop import Drop

if TYPE_CHECKING:
    from pathlib import Path


def parquet(**columns: list[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize("above", ["plain", "id=5/year=1999"])
def test_folders_below_the_root_name_columns(tmp_path: Path, above: str) -> None:
    drop = Drop(tmp_path / above)
    drop.put("year=2025/month=01/land=a%20b/day=2025-01-31/x.parquet", parquet(id=[1, 2]))
    drop.put("year=2026/month=12/land=__HIVE_DEFAULT_PARTITION__/day=2026-12-01/x.parquet", parquet(id=[3]))
    found, _ = drop.read("**/*.parquet")
    assert [(row["id"], row["year"], row["month"], row["land"], str(row["day"])) for row in found] == [
        (1, 2025, "01", "a b", "2025-01-31"),
        (2, 2025, "01", "a b", "2025-01-31"),
        (3, 2026, "12", None, "2026-12-01"),
    ]
    assert drop.types == {"id": "int64", "day": "date32[day]", "land": "string", "month": "string", "year": "int64"}
    window = Window(partition=ValueSlice("year", "2026"))
    assert [row["id"] for row in drop.read("**/*.parquet", window)[0]] == [3]


@pytest.mark.parametrize("names", [("a=1/x.parquet", "y.parquet"), ("a=1/x.parquet", "b=1/x.parquet")])
def test_folders_of_different_names_are_no_columns(tmp_path: Path, names: tuple[str, str]) -> None:
    drop = Drop(tmp_path)
    for name in names:
        drop.put(name, parquet(id=[1]))
    assert drop.read("**/*.parquet")[0] == [{"id": 1}, {"id": 1}]


@pytest.mark.parametrize("value", ["", "x'y", 'x"y', "-1", "1e3", "9223372036854775807", "%41", "NULL"])
def test_values_of_folders(tmp_path: Path, value: str) -> None:
    drop = Drop(tmp_path)
    drop.put(f"key={value}/x.parquet", parquet(id=[1]))
    expected: Any = {"-1": -1, "9223372036854775807": 9223372036854775807, "%41": "A", "NULL": None}.get(value, value)
    assert drop.read("*/*.parquet")[0] == [{"id": 1, "key": expected}]


def test_an_archive_is_no_folder(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.parquet", parquet(id=[1]))
    drop.put("day=2026-01-01.parquet.zip", sink.getvalue())
    assert drop.read("day=2026-01-01.parquet.zip")[0] == [{"id": 1}]


def test_folders_that_cannot_be_told_apart_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "id=5"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    drop = Drop(folder)
    drop.put("year=2026/x.parquet", parquet(id=[1]))
    with pytest.raises(InvalidData, match=r"column=value.*Set TMPDIR"):
        drop.read("**/*.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.parquet", parquet(id=[1, 2])),
        ("x.csv", b"id\n1\n2\n"),
        ("x.csv", b'id\n1\n2\n"3\n'),
        ("x.jsonl", b'{"id": 1}\n{"id": 2}\n'),
        ("x.json", b'[{"id": 1}, {"id": 2, "deep": {"a": [1]}}]'),
    ],
)
def test_where_the_root_lies_says_nothing_about_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    folder = tmp_path / "id=5" / "year=2026"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    drop = Drop(folder)
    drop.put(name, content)
    found, _ = drop.read(name)
    assert [(row["id"], "year" in row) for row in found] == [(1, False), (2, False)]


def test_where_a_project_lies_says_nothing_about_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "id=5" / "year=2026"
    Drop(folder).put("in/x.csv", b"id,day\n1,2026-01-01\n2,2026-01-02\n,2026-01-03\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    config = {
        "name": "placed",
        "source": {"connector": {"type": "files", "root": "in", "format": "csv"}, "stream": "x.csv"},
        "quality": {"rules": [{"type": "required", "fields": ["id"]}]},
        "destinations": [
            {"name": "a", "connector": "lake", "table": "t", "mode": "merge", "key": ["id"]},
            {"name": "b", "connector": "house", "table": "t", "mode": "merge", "key": ["id"]},
        ],
    }
    saved = {
        "lake": {"type": "files", "root": "lake", "format": "parquet"},
        "house": {"type": "duckdb", "path": "w.duckdb"},
    }
    made = Pipeline.from_config({**config, "source": {**config["source"], "mode": "full_refresh"}}, connectors=saved)
    for _ in range(2):
        done = made.run()
        assert (done.status, done.error_count) == ("success", 1)
    found, _ = Drop(folder / "lake").read("t/*.parquet")
    assert [(row["id"], str(row["day"])) for row in found] == [(1, "2026-01-01"), (2, "2026-01-02")]
    assert list(found[0]) == ["id", "day"]
