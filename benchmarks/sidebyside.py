"""The engine, the least the work costs, and other tools, side by side; the table in docs/reference/benchmarks.md."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import trips
from benchmarks.peers import peers
from benchmarks.report import Row, print_row, write_page
from benchmarks.rounds import Candidate, play, wait_until_quiet
from platform_pipelines_tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEFS = Path(__file__).with_name("defs")
_MANY = 2_000
_MEGABYTE = 1_000_000


@dataclass
class Bench:
    """Data and server of one size, and who works on them.

    Attributes:
        dsn: the PostgreSQL server.
        data: the folder of input files.
        base: a folder for what is kept between runs.
        rows: rows of ``src.trips``.
    """

    dsn: str
    data: Path
    base: Path
    rows: int

    def engine(self, pipeline: str, *, label: str = "engine", kept: bool = False) -> Candidate:
        """``pipelines run``, in a folder of its own; ``kept`` keeps its log from run to run."""
        environment = {"PIPELINES_DEFS": str(_DEFS), "BENCH_DSN": self.dsn, "BENCH_DATA": str(self.data)}
        folder = self._folder(pipeline) if kept else None
        before = None if kept else self._clear
        command = [Path(sys.executable).with_name("pipelines"), "run", pipeline, "--json"]
        return Candidate(label, command, environment, before, folder)

    def floor(self, work: str, *arguments: str | Path) -> Candidate:
        """Work by hand."""
        environment = {"PYTHONPATH": str(_DEFS.parent.parent)}
        return Candidate("floor", [sys.executable, "-m", "benchmarks.floors", work, *arguments], environment)

    def peers(self, work: str, *, kept: bool = False) -> list[Candidate]:
        """Other tools."""
        return peers(work, self.dsn, self.data, self.base / "peers" / work if kept else None)

    def _folder(self, name: str) -> Path:
        folder = self.base / "kept" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _clear(self) -> None:
        """Drop what a run before this one loaded: a new log loads into new tables."""
        import psycopg

        with psycopg.connect(self.dsn, autocommit=True) as server:
            server.execute("drop schema if exists dst cascade")
            server.execute("create schema dst")


def to_parquet(bench: Bench) -> list[Candidate]:
    """PostgreSQL to Parquet."""
    return [
        bench.floor("copy_out", bench.dsn),
        bench.engine("postgres_to_parquet"),
        *bench.peers("postgres_to_parquet"),
    ]


def csv_in(bench: Bench) -> list[Candidate]:
    """CSV to PostgreSQL, four rules."""
    return [
        bench.floor("copy_in", bench.dsn, _encoded(bench)),
        bench.engine("csv_to_postgres"),
        *bench.peers("csv_to_postgres"),
    ]


def parquet_in(bench: Bench) -> list[Candidate]:
    """Parquet to PostgreSQL."""
    work = "parquet_to_postgres"
    return [bench.floor("copy_in", bench.dsn, _encoded(bench)), bench.engine(work), *bench.peers(work)]


def grouped(bench: Bench) -> list[Candidate]:
    """CSV, filter, derive, group, four rules, Parquet."""
    return [bench.floor("grouped", bench.data / "trips.csv"), bench.engine("csv_grouped")]


def four(bench: Bench) -> list[Candidate]:
    """One pipeline to four destinations, against each of them alone."""
    alone = [bench.engine(f"only_{name}", label=f"only {name}") for name in ("lake", "lines", "warehouse", "postgres")]
    return [*alone, bench.engine("four")]


def many_files(bench: Bench) -> list[Candidate]:
    """Two thousand files of a megabyte."""
    folder = bench.data / "many"
    if not folder.exists():
        _write_many(bench.data / "trips.csv", folder)
    return [bench.floor("read_all", folder), bench.engine("many_files")]


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes:
        title: for people.
        candidates: who does it.
        target: the engine's ratio to the floor that is aimed at; None to report only.
    """

    title: str
    candidates: Callable[[Bench], list[Candidate]]
    target: float | None


WORKS = {
    "to_parquet": Work("PostgreSQL → Parquet", to_parquet, 2.0),
    "csv_in": Work("CSV → PostgreSQL, typed, 4 rules", csv_in, 2.5),
    "parquet_in": Work("Parquet → PostgreSQL", parquet_in, 1.9),
    "grouped": Work("CSV, filter, derive, group, 4 rules → Parquet", grouped, 1.7),
    "four": Work("one pipeline to four destinations (floor: the slowest alone)", four, 1.4),
    "many_files": Work("2,000 files of 1 MB", many_files, None),
}


def compare(names: list[str], rows: int, repeats: int, *, write: bool) -> None:
    """Run the works named, all by default, print a line each, and write the page."""
    with _bench(rows) as bench:
        table = [_row(WORKS[name], bench, repeats) for name in names or WORKS if name != "merge"]
        if not names or "merge" in names:
            table += _merge(bench, repeats)
    if write:
        write_page(table, rows, repeats)


def _row(work: Work, bench: Bench, repeats: int) -> Row:
    wait_until_quiet()
    row = Row(work.title, work.target, play(work.candidates(bench), repeats))
    print_row(row)
    return row


def _merge(bench: Bench, repeats: int) -> list[Row]:
    """First all rows, then 10,000 changed ones, then nothing new; each tool goes on from its own state."""
    changed = Work("PostgreSQL → PostgreSQL, 10,000 changed, merge", lambda _: [], 2.0)
    idle = Work("the same, nothing new (floor: interpreter and driver)", lambda _: [], None)
    floor = bench.floor("merge", bench.dsn)
    others = [floor, bench.engine("postgres_merge", kept=True), *bench.peers("postgres_merge", kept=True)]
    trips.load(bench.dsn, bench.data)
    play(others, 1)
    rounds = []
    for number in range(repeats):
        trips.change(bench.dsn, number)
        rounds.append(play(others, 1))
    row = Row.of_rounds(changed.title, changed.target, rounds)
    print_row(row)
    nothing = Row(idle.title, idle.target, play([bench.floor("driver", bench.dsn), *others[1:]], repeats))
    print_row(nothing)
    return [row, nothing]


@contextlib.contextmanager
def _bench(rows: int) -> Iterator[Bench]:
    with postgres() as dsn, tempfile.TemporaryDirectory(prefix="bench-") as name:
        base = Path(name)
        data = base / "data"
        # in a process of its own, whose memory the candidates do not inherit
        script = f"from pathlib import Path; from benchmarks import trips; trips.write(Path({str(data)!r}), {rows})"
        subprocess.run([sys.executable, "-c", script], check=True, cwd=_DEFS.parent.parent)
        trips.load(dsn, data)
        yield Bench(dsn, data, base, rows)


def _encoded(bench: Bench) -> Path:
    """All rows as PostgreSQL's binary COPY writes them."""
    import psycopg

    path = bench.data / "trips.binary"
    if not path.exists():
        text = "copy src.trips to stdout (format binary)"
        with psycopg.connect(bench.dsn) as server, path.open("wb") as target, server.cursor().copy(text) as copy:
            for block in copy:
                target.write(block)
    return path


def _write_many(csv: Path, folder: Path) -> None:
    folder.mkdir()
    header, _, body = csv.read_bytes().partition(b"\n")
    block = body[: body.rindex(b"\n", 0, _MEGABYTE) + 1]
    for number in range(_MANY):
        (folder / f"{number:05d}.csv").write_bytes(header + b"\n" + block)
