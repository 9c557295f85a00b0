"""A table folder of which somebody removed a data file: nothing is loaded on top, and the way out works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.folder_manifest import read_manifest
from platform_pipelines.model import Feed
from platform_pipelines.testing.loads import Loading
from platform_pipelines.testing.rows import versions

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.model import Mode


def _loading(root: Path, mode: Mode, feed: Feed, file_format: Any = "parquet") -> Loading:
    return Loading(FilesConnector(root=str(root), format=file_format), mode, "t", feed)


def _ids(loading: Loading) -> list[int]:
    return sorted(row["id"] for batch in loading.destination.holds("t", ["id"], None) for row in batch.to_pylist())


def _lose(root: Path, feed: Feed) -> str:
    name = next(file.name for file in read_manifest(root / "t").files if file.feed == feed.id)
    (root / "t" / name).unlink()
    return name


def _held(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "t").iterdir()}


@pytest.mark.parametrize("file_format", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("mode", ["append", "merge", "update", "delete", "replace"])
def test_no_load_goes_on_top_of_what_is_gone(tmp_path: Path, file_format: Any, mode: Mode) -> None:
    feed = Feed("p")
    first = _loading(tmp_path, "append", feed, file_format)
    first.load(versions((1, "a", 1)))
    first.load(versions((2, "b", 1)))
    name, before = _lose(tmp_path, feed), _held(tmp_path)
    loading = _loading(tmp_path, mode, Feed("other"), file_format)
    for attempt in (lambda: first.attempt(versions((3, "c", 1))), lambda: loading.attempt(versions((2, "c", 2)))):
        with pytest.raises(InvalidData, match=f"a file is gone: {name} .*`pipelines run p --full-refresh`"):
            attempt()
    with pytest.raises(InvalidData, match=name):
        _ids(first)
    assert _held(tmp_path) == before
    first.refresh(versions((1, "a", 2), (2, "b", 2)))
    assert _ids(first) == [1, 2]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_partitions_are_loaded_anew_one_after_the_other(tmp_path: Path, mode: Mode) -> None:
    east, west, north = (_loading(tmp_path, mode, Feed("p", key)) for key in ("east", "west", "north"))
    for number, loading in enumerate((east, west, north)):
        loading.load(versions((number, "a", 1)))
    _lose(tmp_path, east.feed)
    _lose(tmp_path, west.feed)
    east.refresh(versions((0, "b", 2)))
    for loading in (east, north, _loading(tmp_path, mode, Feed("p", "south"))):
        with pytest.raises(
            InvalidData, match=r"a file is gone: p-west-.*`pipelines run p --full-refresh --partition west`"
        ):
            loading.attempt(versions((7, "c", 1)))
    west.refresh(versions((1, "b", 2)))
    north.load(versions((3, "c", 1)))
    assert _ids(north) == [0, 1, 2, 3]


def test_what_two_pipelines_lost_is_loaded_into_a_new_folder(tmp_path: Path) -> None:
    one, two = (_loading(tmp_path, "append", Feed(name)) for name in ("one", "two"))
    for loading in (one, two):
        loading.load(versions((1, "a", 1)))
    _lose(tmp_path, one.feed)
    with pytest.raises(InvalidData, match=r"load it anew: `pipelines run one --full-refresh`"):
        two.attempt(versions((2, "b", 1)), fresh=True)
    _lose(tmp_path, two.feed)
    says = r"2 files are gone .*remove the folder and run each .*`pipelines run one --full-refresh`, `pipelines run two --full-refresh`"
    for loading in (one, two):
        with pytest.raises(InvalidData, match=says):
            loading.refresh(versions((1, "a", 1)))


def test_a_table_that_is_replaced_whole_needs_none_of_its_files(tmp_path: Path) -> None:
    loading = _loading(tmp_path, "replace", Feed("p"))
    loading.load(versions((1, "a", 1)), fresh=True)
    _lose(tmp_path, loading.feed)
    loading.refresh(versions((2, "b", 1)))
    assert _ids(loading) == [2]
