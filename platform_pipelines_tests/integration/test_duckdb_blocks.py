"""A process that dies while DuckDB writes over its metadata spoils nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import duckdb
import pyarrow as pa
import pytest

from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.duckdb_blocks import KeptBlocks, restore
from platform_pipelines.connectors.duckdb_instances import opened
from platform_pipelines.model import Feed, Load, Offset, Stream, Window
from platform_pipelines_tests.torture.crash import Bomb, Crash, Point, Recorder, hooked
from platform_pipelines_tests.torture.elsewhere import excused

if TYPE_CHECKING:
    from pathlib import Path

_FIRST, _BLOCK = 12_288, 262_144
_DIES = """
import os, signal, sys
from pathlib import Path
from platform_pipelines.connectors import duckdb_instances
from platform_pipelines_tests.integration import test_duckdb_blocks as here

class Dying(duckdb_instances.KeptBlocks):
    closing = False

    def keep(self, connection):
        super().keep(connection)
        if Dying.closing:
            os.kill(os.getpid(), signal.SIGKILL)
        Dying.closing = True

duckdb_instances.KeptBlocks = Dying
here.load(Path(sys.argv[1]), 2)
"""


def load(path: Path, number: int) -> None:
    rows = pa.table({"id": [number], "text": [f"row {number}"]})
    offset, previous = Offset(1, number), Offset(1, number - 1) if number > 1 else None
    load = Load(Feed("p"), "raw.t", "append", rows.schema, offset, 1, "pt", previous=previous)
    DuckDBConnector(path=path).load(load, rows.to_reader())


def ids(path: Path) -> list[int]:
    pages = DuckDBConnector(path=path).read(Stream("raw.t"), Window(), None)
    return sorted(number for page in pages for batch in page.batches for number in batch.column("id").to_pylist())


def died_before_its_checkpoint(path: Path) -> None:
    """The second load is in DuckDB's log, and not in the file."""
    load(path, 1)
    done = subprocess.run([sys.executable, "-c", _DIES, str(path)], check=False, timeout=120)
    assert done.returncode == -9


def tear(path: Path, share: float = 0.5) -> None:
    """Make the file what it is while a checkpoint writes its first block: partly what it will be."""
    other = path.parent / "other"
    other.mkdir()
    for file in (path, path.with_name(f"{path.name}.wal")):
        shutil.copy(file, other)
    with duckdb.connect(str(other / path.name)) as connection:
        connection.execute("checkpoint")
    with (other / path.name).open("rb") as after, path.open("r+b") as file:
        after.seek(_FIRST)
        file.seek(_FIRST)
        file.write(after.read(int(_BLOCK * share)))
    shutil.rmtree(other)


def folders(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if "blocks" in each.name)


@pytest.mark.parametrize("share", [0.001, 1.0])
@pytest.mark.parametrize("then", ["read", "load", "tidy"])
def test_a_block_half_written_is_put_back(tmp_path: Path, then: Literal["read", "load", "tidy"], share: float) -> None:
    path = tmp_path / "w.duckdb"
    died_before_its_checkpoint(path)
    tear(path, share)
    spoilt = tmp_path / "spoilt.duckdb"
    shutil.copy(path, spoilt)
    if share < 1:
        with pytest.raises(duckdb.IOException, match="Corrupt database file"):
            duckdb.connect(str(spoilt))
    if then == "load":
        load(path, 3)
    elif then == "tidy":
        DuckDBConnector(path=path).tidy("raw.t")
    assert ids(path) == ([1, 2, 3] if then == "load" else [1, 2])
    assert folders(path) == []


def test_a_restoration_that_dies_anywhere_is_repeated(tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    died_before_its_checkpoint(torn / "w.duckdb")
    tear(torn / "w.duckdb", 0.001)
    moments = _moments_of_restoring(tmp_path, torn, None)
    assert [each.kind for each in moments] == ["write", "write", "fsync", "fsync", "rmtree", "rmtree"]
    assert excused("test_a_restoration_that_dies_anywhere_is_repeated") == {each.site for each in moments}
    for number in range(len(moments)):
        with pytest.raises(Crash):
            _moments_of_restoring(tmp_path, torn, number)
        assert ids(tmp_path / str(number) / "w.duckdb") == [1, 2]
        assert folders(tmp_path / str(number) / "w.duckdb") == []


def _moments_of_restoring(tmp_path: Path, torn: Path, last: int | None) -> list[Point]:
    """Restore a copy of the file, and die at that moment; the moments, where it does not die."""
    copy = tmp_path / str(last)
    shutil.copytree(torn, copy)
    recorder = Recorder()
    with hooked(recorder if last is None else Bomb(last)):
        restore(copy / "w.duckdb")
    return recorder.points


def test_a_file_that_a_checkpoint_has_changed_since_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    died_before_its_checkpoint(path)
    with duckdb.connect(str(path)) as connection:  # a person's own
        connection.execute("insert into raw.t by name select 7 as id")
    before = path.read_bytes()
    restore(path)
    assert path.read_bytes() == before
    assert folders(path) == []
    assert ids(path) == [1, 2, 7]


def test_a_file_that_somebody_has_open_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    died_before_its_checkpoint(path)
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        restore(path)
        assert len(folders(path)) == 1
        other.communicate()
    assert ids(path) == [1, 2]
    assert folders(path) == []


def test_a_file_that_is_open_here_is_left_alone(tmp_path: Path) -> None:
    """Its checkpoint may be under way; and to open the file once more would give up DuckDB's lock on it."""
    path = tmp_path / "w.duckdb"
    died_before_its_checkpoint(path)
    (name,) = folders(path)
    aside = (tmp_path / name).rename(tmp_path / "aside")
    with opened(path, read_only=False, wait=1):
        aside.rename(tmp_path / name)
        DuckDBConnector(path=path).tidy("raw.t")
        assert folders(path) == [name]
        command = [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1])", str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert "Could not set lock" in done.stderr
    assert ids(path) == [1, 2]
    assert folders(path) == []


def test_a_living_process_keeps_its_copy(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    load(path, 1)
    kept = KeptBlocks(path)
    with duckdb.connect(str(path)) as connection:
        kept.keep(connection)
        (name,) = folders(path)
        copy = path.parent / name / "blocks"
        written = copy.stat().st_mtime_ns
        kept.keep(connection)  # nothing has changed
        assert copy.stat().st_mtime_ns == written
        connection.execute("insert into raw.t by name select 7 as id")
        connection.execute("checkpoint")
        kept.keep(connection)
        assert copy.stat().st_mtime_ns > written
    restore(path)
    assert folders(path) == [name]
    kept.drop()
    assert folders(path) == []


def test_a_copy_that_was_never_whole_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    died_before_its_checkpoint(path)
    (name,) = folders(path)
    (path.parent / name / "blocks").rename(path.parent / name / "blocks.tmp")
    assert ids(path) == [1, 2]
    assert folders(path) == []


def test_a_clean_end_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    for number in (1, 2, 3):
        load(path, number)
    assert [each.name for each in tmp_path.iterdir()] == ["w.duckdb"]
