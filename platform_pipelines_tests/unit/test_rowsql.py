from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.rowfiles import LeftOut, RowFiles
from platform_pipelines.rowsql import FILE, ROW, is_plain, placed, selected

if TYPE_CHECKING:
    from pathlib import Path

#: more than one row group, so that both cores read them
_MANY = 300_000


def files(folder: Path, *tables: pa.Table) -> tuple[Path, ...]:
    paths = tuple(folder / f"{number}.parquet" for number in range(len(tables)))
    for path, table in zip(paths, tables, strict=True):
        pq.write_table(table, path, row_group_size=100_000)
    return paths


def left_out(path: Path, *places: tuple[int, int]) -> Path:
    pq.write_table(pa.table({"file": [file for file, _ in places], "row": [row for _, row in places]}), path)
    return path


def read(sql: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        return connection.execute(f"select {columns} from {sql}").fetchall()


def test_rows_that_do_not_count_are_left_out_in_order(tmp_path: Path) -> None:
    ids = pa.table({"id": range(_MANY)})
    bad = sorted({*range(0, _MANY, 997), _MANY - 1})
    places = left_out(tmp_path / "left-out", *((0, row) for row in bad))
    rows = RowFiles(files(tmp_path, ids), (LeftOut(places),))
    kept = sorted(set(range(_MANY)) - set(bad))
    assert [each for (each,) in read(selected(rows))] == kept
    assert [each for (each,) in read(placed(rows), ROW)] == kept


def test_parts_keep_their_places_when_they_are_joined(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first = RowFiles(files(tmp_path, pa.table({"a": [1, 2]}), pa.table({"a": [3]})))
    other = files(tmp_path / "x", pa.table({"a": [4, 5], "b": ["x", "y"]}), pa.table({"a": [6]}))
    last = RowFiles(other, (LeftOut(left_out(tmp_path / "left-out", (0, 0), (1, 0))),))
    rows = RowFiles.joined([first, last])
    assert read(placed(rows)) == [(1, None, 0, 0), (2, None, 0, 1), (3, None, 1, 0), (5, "y", 2, 1)]
    assert (first.whole, last.whole, rows.whole) == (first.paths, (), ())


@pytest.mark.parametrize("name", ["file_row_number", "File_Index"])
def test_a_column_named_like_a_place_is_a_column(tmp_path: Path, name: str) -> None:
    table = pa.table({name: [10, 20, 30], "a": ["x", "y", "z"]})
    places = left_out(tmp_path / "left-out", (1, 1))
    rows = RowFiles(files(tmp_path, table, table), (LeftOut(places),), plain=is_plain(table.column_names))
    both = [(10, "x"), (20, "y"), (30, "z")]
    assert not rows.plain
    assert read(selected(rows)) == [*both, both[0], both[2]]
    assert read(placed(rows), f"{FILE}, {ROW}") == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64])
def test_any_number_of_rows_may_be_left_out(tmp_path: Path, size: int) -> None:
    paths = files(tmp_path, pa.table({"id": range(size)}))
    for row in (0, size - 1):
        rows = RowFiles(paths, (LeftOut(left_out(tmp_path / "left-out", (0, row))),))
        assert [each for (each,) in read(selected(rows))] == [each for each in range(size) if each != row]
    rows = RowFiles(paths, (LeftOut(left_out(tmp_path / "left-out", *((0, row) for row in range(size)))),))
    assert read(selected(rows)) == []
