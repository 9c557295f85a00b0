"""SIGKILL at random moments, run again: every destination equals one clean run."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest

from platform_pipelines.model import Feed
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20
ROWS_A_STEP = 4000

CONNECTORS = """
drops: {type: files, root: in, format: csv, options: {types: {id: bigint, at: timestamptz, v: varchar}}}
warehouse: {type: duckdb, path: out/warehouse.duckdb}
lake: {type: files, root: out/lake, format: parquet}
pg: {type: postgres, dsn: "${env://TEST_DSN}"}
"""
PIPELINE = """
name: events
source: {connector: drops, stream: "*.csv", mode: incremental, cursor: {field: at}}
transforms: [{filter: "v <> 'drop'"}]
quality: {rules: [{id: v, type: accepted, field: v, values: [a, b, c], severity: error}]}
destinations:
  - {name: history, connector: warehouse, table: raw.history, mode: append}
  - {name: latest, connector: warehouse, table: raw.latest, mode: merge, key: [id]}
  - {name: pg, connector: pg, table: raw.latest, mode: merge, key: [id]}
  - {name: lake, connector: lake, table: history, mode: append}
"""


@dataclass
class Site:
    """A project in a folder, run through the command line as a user would."""

    root: Path
    dsn: str

    def prepare(self) -> None:
        (self.root / "defs").mkdir(parents=True)
        (self.root / "in").mkdir()
        (self.root / "defs" / "connectors.yaml").write_text(CONNECTORS)
        (self.root / "defs" / "events.yaml").write_text(PIPELINE)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "platform_pipelines", "run", "events", "--json"],
            cwd=self.root,
            env=os.environ | {"PIPELINES_DEFS": "defs", "TEST_DSN": self.dsn},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self) -> dict[str, Any]:
        process = self.start()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        report: dict[str, Any] = json.loads(out)
        return report

    def run_and_kill(self, after: float) -> None:
        process = self.start()
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def add(self, step: int, rows: list[tuple[int, str, str]]) -> None:
        temporary = self.root / f"step-{step:03d}.tmp"
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "at", "v"])
            writer.writerows(rows)
        temporary.rename(self.root / "in" / f"step-{step:03d}.csv")

    def contents(self) -> dict[str, Counter[tuple[int, str, str]]]:
        columns = 'id::bigint, epoch_us("at")::varchar, v'
        with duckdb.connect(self.root / "out" / "warehouse.duckdb", read_only=True) as connection:
            history = connection.execute(f"select {columns} from raw.history").fetchall()
            latest = connection.execute(f"select {columns} from raw.latest").fetchall()
            lake = connection.execute(
                f"select {columns} from read_parquet('{self.root}/out/lake/history/*.parquet')"
            ).fetchall()
        with psycopg.connect(self.dsn) as server:
            pg = server.execute(
                "select id, (extract(epoch from at) * 1000000)::bigint::text, v from raw.latest"
            ).fetchall()
        found = {"history": history, "latest": latest, "lake": lake, "pg": pg}
        return {name: Counter(tuple(row) for row in rows) for name, rows in found.items()}


def make_rows(chance: random.Random, step: int) -> list[tuple[int, str, str]]:
    """Rows in which three share each instant, also across the end of a step."""
    rows = []
    for number in range(ROWS_A_STEP):
        second = (step * ROWS_A_STEP + number) // 3
        identity = (number * 7 + step * 13) % 6001
        value = chance.choice([*"abc" * 10, "x", "drop"])
        instant = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=second, microseconds=second % 7)
        rows.append((identity, instant.isoformat(), value))
    return rows


def expected(steps: list[list[tuple[int, str, str]]]) -> dict[str, Counter[tuple[int, str, str]]]:
    kept = [row for rows in steps for row in rows if row[2] in "abc"]
    history = Counter((identity, _micros(at), value) for identity, at, value in kept)
    newest: dict[int, tuple[int, str, str]] = {}
    for identity, at, value in kept:
        known = newest.get(identity)
        if known is None or at >= known[1]:
            newest[identity] = (identity, at, value)
    latest = Counter((identity, _micros(at), value) for identity, at, value in newest.values())
    return {"history": history, "latest": latest, "lake": history, "pg": latest}


def _micros(at: str) -> str:
    delta = dt.datetime.fromisoformat(at) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return str((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)


@pytest.mark.timeout(600)
def test_killed_twenty_times_equals_one_clean_run(tmp_path: Path, postgres_database: str) -> None:
    seed = int(os.environ.get("PIPELINES_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"seed {seed}: repeat with PIPELINES_TEST_SEED={seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a test's choice of moments
    site = Site(tmp_path / "site", postgres_database)
    site.prepare()
    steps = [make_rows(chance, 0)]
    site.add(0, steps[0])
    started = time.monotonic()
    site.run()
    length = time.monotonic() - started
    for kill in range(1, KILLS + 1):
        if kill % 2:
            steps.append(make_rows(chance, len(steps)))
            site.add(len(steps) - 1, steps[-1])
        site.run_and_kill(chance.uniform(0.2, 1.1) * length)
    site.run()
    assert site.run()["status"] == "nothing_new"
    found, wanted = site.contents(), expected(steps)
    for name, rows in wanted.items():
        assert found[name] == rows, f"{name} differs (seed {seed})"
    assert orphans(site.root) == set()


def orphans(root: Path) -> set[str]:
    """Batch folders that no manifest and no verdict refers to."""
    log = Store(".pipelines/store", root).feed(Feed("events"))
    present = {path.name for path in log.epoch_folder(1).iterdir() if path.is_dir()}
    manifests = [log.manifest(1, sequence) for sequence in log.sequences(1)]
    verdicts = [verdict for sequence in log.sequences(1) if (verdict := log.verdict(1, sequence))]
    files = [file for item in manifests for file in (*item.files, *([item.rejects] if item.rejects else []))]
    files += [file for verdict in verdicts for file in (*verdict.files, *verdict.dead)]
    return present - {file.path.split("/")[0] for file in files}
