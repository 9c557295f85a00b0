"""Several processes at once on one log and one table: each ends as a serial run would, or with a clear refusal."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Count = Callable[[str, int], None]

LOADERS = 8
PARTITIONS = 20
ROWS = 40
#: what two runs may say of each other; anything else is a fault
REFUSALS = ("is being worked on by", "Another run committed", "another run loaded")

CONNECTORS = """
app: {type: postgres, dsn: "${env://TEST_DSN}"}
pg: {type: postgres, dsn: "${env://TEST_DSN}", schema: loaded}
warehouse: {type: duckdb, path: out/warehouse.duckdb}
lake: {type: files, root: out/lake, format: parquet}
"""
DESTINATIONS = """
  - {connector: pg, table: %(table)s, mode: %(mode)s, key: [id]}
  - {connector: warehouse, table: raw.%(table)s, mode: %(mode)s, key: [id]}
  - {connector: lake, table: %(table)s, mode: %(mode)s, key: [id]}
"""
INCREMENTAL = """
name: %(name)s
source: {connector: app, stream: %(stream)s, mode: incremental, cursor: {field: at}}
destinations:"""
DAILY = """
name: daily
source: {connector: app, stream: events, mode: incremental, cursor: {field: at}}
partitions: {by: day, field: day, start: 2024-01-01, end: 2024-01-21, lookback: 2}
destinations:"""
WHOLE = """
name: whole
source: {connector: app, stream: generation, mode: full_refresh}
destinations:
  - {connector: pg, table: whole, mode: replace}
  - {connector: warehouse, table: raw.whole, mode: replace}
  - {connector: lake, table: whole, mode: replace}
"""


@dataclass
class Site:
    """A project in a folder, run through the command line by processes of their own."""

    root: Path
    dsn: str
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "defs").mkdir(parents=True)
        (self.root / "defs" / "connectors.yaml").write_text(CONNECTORS)

    def declare(self, name: str, text: str) -> None:
        (self.root / "defs" / f"{name}.yaml").write_text(text)

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self, *command: str, program: tuple[str, ...] = ("-m", "platform_pipelines")) -> subprocess.Popen[str]:
        environment = os.environ | {"PIPELINES_DEFS": "defs", "TEST_DSN": self.dsn, "PIPELINES_LOCK_WAIT": "120"}
        environment |= {"DAGSTER_HOME": str(self.root / "dagster")}
        process = subprocess.Popen(
            [sys.executable, *program, *command],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str) -> dict[str, Any]:
        return self.end(self.start("run", *arguments, "--json"))

    def end(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """A run's report; a run that failed must have been refused for the sake of another."""
        out, err = process.communicate(timeout=300)
        report: dict[str, Any] = json.loads(out)
        if process.returncode:
            assert any(refusal in err for refusal in REFUSALS), err
        return report

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def rows(self, table: str) -> dict[str, Counter[tuple[Any, ...]]]:
        """Rows of a table at every destination."""
        return {name: Counter(read(table)) for name, read in self.readers().items()}

    def readers(self) -> dict[str, Callable[[str], list[tuple[Any, ...]]]]:
        return {"pg": self._in_postgres, "warehouse": self._in_duckdb, "lake": self._in_folder}

    def _in_postgres(self, table: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(f"select id, v from loaded.{table}".encode()).fetchall()

    def _in_duckdb(self, table: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.root / "out/warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(f"select id, v from raw.{table}").fetchall()

    def _in_folder(self, table: str) -> list[tuple[Any, ...]]:
        folder = self.root / "out/lake" / table
        listed = json.loads((folder / "_pipelines_loads.manifest").read_bytes())["files"]
        names = ", ".join(f"'{folder / file['name']}'" for file in listed)
        with duckdb.connect() as connection:
            return connection.execute(f"select id, v from read_parquet([{names}])").fetchall()


@pytest.fixture
def site(tmp_path: Path, postgres_database: str) -> Iterator[Site]:
    site = Site(tmp_path / "site", postgres_database)
    (site.root / "dagster").mkdir()
    site.sql(
        "create schema loaded",
        "create table events (id int primary key, day date, at timestamptz default now(), v text)",
        f"insert into events select i, date '2024-01-01' + i %% {PARTITIONS}, timestamptz '2024-03-01' + i * interval "
        f"'1 s', 'a' from generate_series(1, {PARTITIONS * ROWS}) i".replace("%%", "%"),
    )
    yield site
    site.stop()


def source(site: Site, table: str = "events") -> Counter[tuple[Any, ...]]:
    with psycopg.connect(site.dsn) as connection:
        return Counter(connection.execute(f"select id, v from {table}".encode()).fetchall())


def everywhere(site: Site, table: str, expected: Counter[tuple[Any, ...]]) -> None:
    for name, found in site.rows(table).items():
        assert found == expected, f"{name}: {found - expected} too many, {expected - found} missing"


def pipeline(name: str, table: str, mode: str, stream: str = "events") -> str:
    return (INCREMENTAL + DESTINATIONS) % {"name": name, "stream": stream, "table": table, "mode": mode}


@pytest.mark.timeout(600)
def test_eight_runs_of_one_feed_append_each_row_once(site: Site, cases: Count) -> None:
    site.declare("log", pipeline("log", "log", "append").replace(", key: [id]", ""))
    reports = [site.end(process) for process in [site.start("run", "log", "--json") for _ in range(8)]]
    assert sum(report["status"] in {"success", "nothing_new"} for report in reports) >= 1
    assert site.run("log")["status"] in {"success", "nothing_new"}
    assert site.run("log")["status"] == "nothing_new"
    everywhere(site, "log", source(site))
    cases("concurrent runs of one feed", len(reports))


@pytest.mark.timeout(600)
def test_eight_loaders_into_one_table_that_none_finds_there(site: Site, cases: Count) -> None:
    for number in range(LOADERS):
        name = f"part{number}"
        site.sql(f"create table {name} as select * from events where id % {LOADERS} = {number}")
        site.declare(name, pipeline(name, "shared", "append", name).replace(", key: [id]", ""))
    for process in [site.start("run", f"part{number}", "--json") for number in range(LOADERS)]:
        site.end(process)
    for number in range(LOADERS):
        assert site.run(f"part{number}")["error"] is None
    everywhere(site, "shared", source(site))
    cases("loaders of one table at once", LOADERS)


@pytest.mark.timeout(600)
def test_two_pipelines_into_one_table(site: Site, cases: Count) -> None:
    """Both know all keys, one of them older versions: the newer version of each stays."""
    site.sql("create table old as select id, day, at - interval '1 day' as at, 'old' as v from events where id <= 500")
    site.sql(
        "insert into old select -i, date '2024-01-01', now() - interval '1 hour', 'own' from generate_series(1, 50) i"
    )
    site.declare("new", pipeline("new", "shared", "merge"))
    site.declare("old", pipeline("old", "shared", "merge", "old"))
    processes = [site.start("run", name, "--json") for name in ("new", "old", "new", "old")]
    for process in processes:
        site.end(process)
    for name in ("new", "old"):
        assert site.run(name)["error"] is None
    own = Counter({row: 1 for row in source(site, "old") if row[1] == "own"})
    everywhere(site, "shared", source(site) + own)
    cases("concurrent runs of two pipelines into one table", len(processes))


@pytest.mark.timeout(600)
def test_a_backfill_in_random_order_while_the_live_schedule_ticks(site: Site, cases: Count) -> None:
    """Twenty partitions by four processes; two more run what is due, and the source changes meanwhile."""
    site.declare("daily", DAILY + DESTINATIONS % {"table": "daily", "mode": "merge"})
    seed = int(os.environ.get("PIPELINES_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"seed {seed}: repeat with PIPELINES_TEST_SEED={seed}")  # noqa: T201 - shown when the test fails
    keys = [f"2024-01-{day:02d}" for day in range(1, PARTITIONS + 1)]
    random.Random(seed).shuffle(keys)  # noqa: S311 - a test's choice of order
    backfills = [
        site.start("run", "daily", "--full-refresh", "--json", *(f"--partition={key}" for key in keys[i::4]))
        for i in range(4)
    ]
    landed = site.root / ".pipelines/store/daily/feeds"
    while not any(landed.glob("*/e*/000001.json")):  # the source changes once some of it was read
        assert any(process.poll() is None for process in backfills)
        time.sleep(0.01)
    site.sql("update events set v = 'b', at = now() where id % 7 = 0")
    assert any(process.poll() is None for process in backfills), "the source changed behind the backfill"
    ticks = 0
    while ticks < 2 or any(process.poll() is None for process in backfills):
        site.run("daily")
        ticks += 1
    for process in backfills:
        site.end(process)
    assert site.run("daily", *(f"--partition={key}" for key in keys))["error"] is None
    everywhere(site, "daily", source(site))
    cases("partitions backfilled while others run", PARTITIONS)


#: how a look ends that met a table in the midst of being replaced, and what the reader does: looks again
LOCKED = "Could not set lock on file"
GONE = ("No files found", "Cannot open file", "No such file")
#: a reader of files who listed them before they were replaced finds the new ones at the next look
AGAIN = 3


class Watch(threading.Thread):
    """A reader who polls a table: how many rows there were at each look, and of which generations.

    Args:
        read: reads the table.
        replacing: set while a run replaces it: only looks that end meanwhile are counted.
        done: ends the watch.
    """

    def __init__(
        self, read: Callable[[str], list[tuple[Any, ...]]], replacing: threading.Event, done: threading.Event
    ) -> None:
        super().__init__()
        self._read, self._replacing, self._done = read, replacing, done
        self.looks: list[tuple[int, tuple[str, ...]]] = []
        self.idle = self.locked = self.gone = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self._done.is_set():
                self._look()
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            self.failure = error

    def _look(self) -> None:
        for _ in range(AGAIN):
            try:
                found = self._read("whole")
            except (duckdb.IOException, FileNotFoundError) as error:
                if LOCKED in str(error):  # DuckDB's file belongs to one process while it is written
                    self.locked += 1
                    return
                if not any(words in str(error) for words in GONE):
                    raise
                self.gone += 1
            else:
                self.looks.append((len(found), tuple({row[1] for row in found})))
                self.idle += not self._replacing.is_set()
                return
        msg = f"{AGAIN} looks after each other found no files"
        raise AssertionError(msg)


@pytest.mark.timeout(600)
def test_a_reader_sees_only_old_or_new_while_a_table_is_replaced(site: Site, cases: Count) -> None:
    """Each generation has rows of one value; a reader never meets two, none, some, or an older one again."""
    site.sql("create table generation as select i as id, '0' as v from generate_series(1, 20000) i")
    site.declare("whole", WHOLE)
    assert site.run("whole")["error"] is None
    replacing, done = threading.Event(), threading.Event()
    watches = [Watch(read, replacing, done) for read in site.readers().values()]
    for watch in watches:
        watch.start()
    try:
        for generation in range(1, 5):
            site.sql(f"update generation set v = '{generation}'")
            replacing.set()
            assert site.run("whole")["error"] is None
            replacing.clear()
    finally:
        done.set()
        for watch in watches:
            watch.join()
    for watch in watches:
        assert watch.failure is None
        assert {(rows, len(values)) for rows, values in watch.looks} == {(20000, 1)}
        generations = [int(values[0]) for _, values in watch.looks]
        assert generations == sorted(generations), "an older generation came back"
        assert set(generations) >= {0, 3}, "too few looks to tell"
        cases("looks of readers while tables are replaced", len(watch.looks) - watch.idle)
    everywhere(site, "whole", Counter({(i, "4"): 1 for i in range(1, 20001)}))


@pytest.mark.timeout(600)
def test_the_command_line_and_dagster_take_turns_on_one_log(site: Site) -> None:
    site.declare("log", pipeline("log", "log", "append").replace(", key: [id]", ""))
    materialize = ("asset", "materialize", "-m", "platform_pipelines.definitions", "--select", 'key:"log/*"')
    for turn in range(3):
        site.sql(
            f"insert into events select 10000 + {turn} * 100 + i, '2024-01-01', now(), 'c' from generate_series(1, 9) i"
        )
        dagster = site.start(*materialize, program=("-W", "ignore", "-m", "dagster"))
        command = site.start("run", "log", "--json")
        site.end(command)
        _, err = dagster.communicate(timeout=300)
        assert dagster.returncode == 0 or any(refusal in err for refusal in REFUSALS), err
    assert site.run("log")["error"] is None
    everywhere(site, "log", source(site))
