"""Whatever brings DuckDB to write a checkpoint into a file that is loaded, a copy of its blocks lies there first."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines import durable
from platform_pipelines.connectors.duckdb import DuckDBConnector
from platform_pipelines.connectors.duckdb_instances import opened
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines_tests.integration.test_duckdb_blocks import folders, ids, tear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER, _ITERATION_AT = 4096, 8
_MANY = 1_500_000
#: rows of :func:`fill_log`, and more bytes than DuckDB lets its log grow to
_FILLED, _LONG_LOG = 400_000, 16 << 20
_DIES = """
import os, signal, sys
from pathlib import Path
from platform_pipelines import durable
from platform_pipelines_tests.integration import test_duckdb_checkpoints as here

def die(moment, kind, _):
    if (moment, kind) == ("before", "commit"):
        os.kill(os.getpid(), signal.SIGKILL)

durable.hook = die
here.load(Path(sys.argv[1]), 2, {"more": [1]})
"""


def load(path: Path, number: int, more: dict[str, list[object]] | None = None, *, rows: int = 1) -> None:
    table = pa.table(
        {"id": pa.array([number] * rows), "text": [f"row {number} {n}" for n in range(rows)]} | (more or {})
    )
    offset, previous = Offset(1, number), Offset(1, number - 1) if number > 1 else None
    load = Load(Feed("p"), "raw.t", "append", table.schema, offset, rows, "pt", previous=previous)
    DuckDBConnector(path=path).load(load, table.to_reader())


def fill_log(path: Path) -> None:
    """What a process leaves that is killed as it keeps the file open, as a run does: a log beyond the threshold."""
    script = """
import duckdb, os, signal, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("set checkpoint_threshold='1GB'")
for _ in range(8):  # fewer rows than DuckDB would write to the file before the commit
    connection.execute("insert into raw.t by name select 7 as id, repeat(uuid()::varchar, 2) as text from range(50000)")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=120)
    assert path.with_name(f"{path.name}.wal").stat().st_size > _LONG_LOG


def checkpoints(headers: bytes) -> int:
    """How many have ended: each writes the next number into one of two headers."""
    return max(struct.unpack_from("<Q", headers, copy * _HEADER + _ITERATION_AT)[0] for copy in (1, 2))


class Watch:
    """What the file's headers were, by number of checkpoints, whenever a copy of its blocks was whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = self.now()
        self.copied: set[int] = set()

    def now(self) -> int:
        return checkpoints(self.path.read_bytes()[: 3 * _HEADER])

    def uncovered(self) -> set[int]:
        """Checkpoints that began without a copy; each would have written over blocks that these headers need."""
        return set(range(self.first, self.now())) - self.copied

    def see(self, moment: durable.Moment, kind: str, _: str) -> None:
        if (moment, kind) == ("after", "rename"):
            for folder in folders(self.path):
                self.copied.add(checkpoints((self.path.parent / folder / "blocks").read_bytes()[: 3 * _HEADER]))


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    path = tmp_path / "w.duckdb"
    load(path, 1)
    watch = Watch(path)
    monkeypatch.setattr(durable, "hook", watch.see)
    yield watch
    assert watch.uncovered() == set()
    assert folders(path) == []


def test_a_small_load_writes_one_at_the_end(watch: Watch) -> None:
    load(watch.path, 2)
    assert watch.now() == watch.first + 1


def test_a_long_log_is_written_into_the_file_where_a_column_is_added(watch: Watch) -> None:
    fill_log(watch.path)
    load(watch.path, 2, {"more": [1]})
    assert watch.now() > watch.first + 1  # at the commit of the new column, and at the end
    assert len(ids(watch.path)) == 2 + _FILLED


def test_a_very_large_load_may_write_several(watch: Watch) -> None:
    load(watch.path, 2, rows=_MANY)
    load(watch.path, 3, {"more": [1.5] * _MANY}, rows=_MANY)
    assert watch.now() > watch.first
    assert len(ids(watch.path)) == 1 + 2 * _MANY


def test_loads_that_follow_each_other_in_an_open_file_may_write_several(watch: Watch) -> None:
    with DuckDBConnector(path=watch.path).held():
        with opened(watch.path, read_only=False, wait=1) as connection:
            connection.execute("set checkpoint_threshold='1KB'")
        for number in range(2, 6):
            load(watch.path, number, {f"more_{number}": [number]})
        during = watch.now()
    assert during >= watch.first + 4
    assert ids(watch.path) == [1, 2, 3, 4, 5]


def test_a_kill_as_a_column_is_added_spoils_nothing(tmp_path: Path) -> None:
    """The copy lies there before the first commit, and a checkpoint that was torn then is taken back."""
    path = tmp_path / "w.duckdb"
    load(path, 1)
    fill_log(path)
    done = subprocess.run([sys.executable, "-c", _DIES, str(path)], check=False, timeout=120)
    assert done.returncode == -9
    tear(path, 0.001)
    load(path, 2, {"more": [1]})
    assert len(ids(path)) == 2 + _FILLED
    assert folders(path) == []


def test_where_the_copy_is_interrupted_the_log_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as the file is closed; a kill may follow."""
    path = tmp_path / "w.duckdb"
    load(path, 1)
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(durable, "hook", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            _insert(path)
        assert path.read_bytes() == before
    assert ids(path) == [1, 7]
    load(path, 2)
    assert ids(path) == [1, 2, 7]
    assert [each.name for each in tmp_path.iterdir()] == ["w.duckdb"]


def _insert(path: Path) -> None:
    with opened(path, read_only=False, wait=1) as connection:
        connection.execute("insert into raw.t by name select 7 as id")


def _interrupt(moment: durable.Moment, kind: str, what: str) -> None:
    if (moment, kind) == ("before", "write") and "blocks" in what:
        raise KeyboardInterrupt


def test_behind_a_symbolic_link_too(tmp_path: Path) -> None:
    """DuckDB keeps the log beside the file itself."""
    (tmp_path / "disk").mkdir()
    link = tmp_path / "warehouse.duckdb"
    link.symlink_to(tmp_path / "disk" / "real.duckdb")
    load(link, 1)
    load(link, 2)
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["real.duckdb"]
    assert ids(tmp_path / "disk" / "real.duckdb") == [1, 2]
