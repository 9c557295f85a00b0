"""A disk that fills up in mid-write, or turns read-only: a clear error, nothing lost, and once mended a clean run's result."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.model import Stream, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 40_000
#: enough for a few files, not for all
SMALL, LARGE = 1 << 20, 256 << 20
#: another encoding than UTF-8 is rewritten in the scratch folder first
CONNECTORS = """
drops: {type: files, root: in, format: csv, options: {encoding: latin-1}}
warehouse: {type: duckdb, path: out/warehouse.duckdb}
lake: {type: files, root: out/lake, format: parquet}
"""
PIPELINE = """
name: p
source: {connector: drops, stream: rows.csv, mode: incremental, cursor: {field: id}}
quality: {rules: [{type: range, field: id, max: 39990}]}
destinations:
  - {connector: warehouse, table: t, mode: merge, key: [id]}
  - {connector: lake, table: t, mode: append}
"""
#: unlike one another, so that nothing compresses them
TEXT = "{:032x}".format
PROGRAM = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}));"
RUN = "from platform_pipelines.cli.main import main; sys.argv = ['pipelines', *sys.argv[1:]]; main()"


@dataclass
class Told:
    """How a run ended, as a person sees it."""

    code: int
    report: dict[str, Any]
    printed: str

    @property
    def outcome(self) -> tuple[int, str]:
        return self.code, self.report["status"]

    @property
    def failed(self) -> bool:
        return self.code in {1, 2, 4} and self.report["status"] in {"failed", "partial"}

    @property
    def errors(self) -> str:
        own, each = self.report["error"], (each["error"] for each in self.report["destinations"].values())
        return " ".join(filter(None, [own, *each]))

    @property
    def plainly(self) -> bool:
        """With a message for people, and none of our own asserts or tracebacks."""
        return bool(self.errors) and "not foreseen" not in self.errors and "Traceback" not in self.printed


@dataclass
class Site:
    """A project whose landing log, output and scratch lie in folders of their own."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("defs", "in", "out", "store", "scratch"):
            (self.root / name).mkdir()
        (self.root / "workspace.yaml").write_text("")
        (self.root / "defs/connectors.yaml").write_text(CONNECTORS)
        (self.root / "defs/p.yaml").write_text(PIPELINE)
        lines = (f"{number},{TEXT(hash((number, 'x')) & (2**128 - 1))}\n" for number in range(ROWS))
        (self.root / "in/rows.csv").write_text("id,text\n" + "".join(lines))

    def run(self, limit: int | None = None) -> Told:
        """Run the pipeline as a process of its own, which may write files of so many bytes."""
        program = f"{PROGRAM.format(limit)} {RUN}" if limit else f"import sys; {RUN}"
        variables = {"PIPELINES_DEFS": "defs", "PIPELINES_STORE": "store", "TMPDIR": str(self.root / "scratch")}
        done = subprocess.run(
            [sys.executable, "-c", program, "run", "p", "--json"],
            cwd=self.root,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        return Told(done.returncode, json.loads(done.stdout), done.stderr)

    def loaded(self) -> list[set[tuple[Any, ...]]]:
        """The rows of both destinations."""
        with duckdb.connect(str(self.root / "out/warehouse.duckdb")) as connection:
            rows = set(connection.execute("select id, text from t").fetchall())
        lake = FilesConnector(root=str(self.root / "out/lake"))
        pages = lake.read(Stream("t", {}), Window(), None)
        batches = [batch.select(["id", "text"]) for page in pages for batch in page.batches]
        return [rows, {tuple(row.values()) for batch in batches for row in batch.to_pylist()}]

    def expected(self) -> list[set[tuple[Any, ...]]]:
        """What one run on a good disk would have left: each row once."""
        lines = (self.root / "in/rows.csv").read_text().splitlines()[1:]
        newest = {int(number): text for number, text in (line.split(",") for line in lines)}
        expected = {(number, text) for number, text in newest.items() if number <= 39_990}
        return [expected, expected]


@contextlib.contextmanager
def mounted(folder: Path, size: int) -> Iterator[bool]:
    """A file system of so many bytes on a folder; yields whether the system let us mount it."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if not done.returncode:
            subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.parametrize("limit", [1 << 10, 200 << 10, SMALL])
def test_files_that_may_not_grow(tmp_path: Path, limit: int) -> None:
    site = Site(tmp_path)
    told = site.run(limit)
    assert told.failed, told
    assert told.plainly, told
    assert site.run().outcome == (0, "success")
    assert site.loaded() == site.expected()


@pytest.mark.parametrize(
    ("scarce", "size"), [("store", SMALL // 4), ("out", SMALL), ("scratch", 64 << 10), ("store", 64 << 10)]
)
def test_a_disk_that_fills_up(tmp_path: Path, scarce: str, size: int) -> None:
    site = Site(tmp_path)
    with mounted(tmp_path / scarce, size) as small:
        # where nobody may mount, no file may grow beyond the size instead
        told = site.run(None if small else size)
        assert told.failed, told
        assert told.plainly, told
        assert "changed the same rows" not in told.errors, "nobody else is there"
        if small:
            remount(tmp_path / scarce, f"size={LARGE}")
        assert site.run().outcome == (0, "success")
        assert site.loaded() == site.expected()


@pytest.mark.parametrize("scarce", ["store", "out"])
def test_a_disk_that_turns_read_only(tmp_path: Path, scarce: str) -> None:
    site = Site(tmp_path)
    with mounted(tmp_path / scarce, LARGE) as own:
        if not own and os.geteuid() == 0:
            pytest.skip("root may write everywhere, and may not mount here: there is no read-only disk to be had")
        assert site.run().code == 0
        with (tmp_path / "in/rows.csv").open("a") as file:
            file.write(f"{ROWS},more\n")
        turn(tmp_path / scarce, own=own, writable=False)
        told = site.run()
        assert told.failed, told
        assert told.plainly, told
        turn(tmp_path / scarce, own=own, writable=True)
        assert site.run().outcome == (0, "success")
        assert site.loaded() == site.expected()


def turn(folder: Path, *, own: bool, writable: bool) -> None:
    """Make a disk of its own, else the folders of a disk, read-only or writable again."""
    if own:
        remount(folder, "rw" if writable else "ro")
        return
    for path in [folder, *(each for each in folder.rglob("*") if each.is_dir())]:
        path.chmod(0o755 if writable else 0o555)
