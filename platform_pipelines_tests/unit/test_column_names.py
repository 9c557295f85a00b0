"""Columns that a load cannot tell apart, or call: refused in plain words before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.testing.loads import Loading

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Mode

_FORMATS: tuple[Any, ...] = ("parquet", "csv", "jsonl")


def _destination(root: Path, kind: Any) -> Any:
    if kind == "duckdb":
        return DuckDBConnector(path=root / "lake.duckdb")
    return FilesConnector(root=str(root), format=kind)


@pytest.mark.parametrize("kind", [*_FORMATS, "duckdb"])
@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("id", "a", "A"), "The columns 'a' and 'A' differ in case alone"),
        (("id", ""), r"Column 2 of 2 \(behind 'id'\) has no name.*exclude \(C1\) from input"),
        (("", "id"), r"Column 1 of 2 \(before 'id'\) has no name.*`C0`"),
    ],
)
def test_names_that_no_load_can_tell_are_refused(
    tmp_path: Path, kind: Any, mode: Mode, names: tuple[str, ...], says: str
) -> None:
    destination = _destination(tmp_path, kind)
    with pytest.raises(InvalidData, match=says):
        Loading(destination, mode, "t").load(pa.table([[1]] * len(names), names=list(names)))
    if kind in _FORMATS:
        assert [path.name for path in (tmp_path / "t").iterdir()] == ["_pipelines_loads.lock"]


@pytest.mark.parametrize("kind", [*_FORMATS, "duckdb"])
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_column_that_the_table_has_in_another_case_is_refused(tmp_path: Path, kind: Any, mode: Mode) -> None:
    loading = Loading(_destination(tmp_path, kind), mode, "t")
    loading.load(pa.table({"id": [1], "a": [1]}))
    with pytest.raises(InvalidData, match=r"The columns 'a' of (main\.)?t and 'A' of the load differ in case alone"):
        loading.attempt(pa.table({"id": [2], "A": [2]}))
    loading.load(pa.table({"id": [2], "a": [2]}))
    assert sorted(row["a"] for b in loading.destination.holds("t", ["a"], None) for row in b.to_pylist()) == [1, 2]
