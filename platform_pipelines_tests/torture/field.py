"""A project of files and databases that is run through the command line while processes are killed."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg

from platform_pipelines.formats.folder_manifest import read_manifest
from platform_pipelines_tests.torture.orphans import unused_scratch
from platform_pipelines_tests.torture.site import Site

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from platform_pipelines_tests.torture.zygote import Zygote

CONNECTORS = """
drops: {type: files, root: in, format: csv, options: {types: {id: bigint, at: timestamptz, v: varchar}}}
warehouse: {type: duckdb, path: out/w.duckdb}
lake: {type: files, root: lake, format: parquet}
pg: {type: postgres, dsn: "${env://TEST_DSN}"}
"""
PIPELINE = """
name: p
source: {connector: drops, stream: "*.csv", mode: incremental, cursor: {field: at}}
transforms: [{filter: "v <> 'drop'"}]
quality: {rules: [{id: v, type: accepted, field: v, values: [a, b, c], severity: error}]}
destinations:
  - {name: history, connector: warehouse, table: raw.history, mode: append}
  - {name: latest, connector: warehouse, table: raw.latest, mode: merge, key: [id]}
  - {name: pg, connector: pg, table: raw.latest, mode: merge, key: [id]}
  - {name: lake, connector: lake, table: history, mode: append}
  - {name: lake_latest, connector: lake, table: t, mode: merge, key: [id]}
"""
WHOLE = """
name: whole
source: {connector: pg, stream: things, mode: full_refresh}
destinations:
  - {name: warehouse, connector: warehouse, table: raw.whole, mode: replace}
  - {name: pg, connector: pg, table: raw.whole, mode: replace}
  - {name: lake, connector: lake, table: whole, mode: replace}
"""
#: what is killed: mostly an incremental run
COMMANDS = (
    *[("run", "p")] * 6,
    ("run", "p", "--full-refresh"),
    ("dead-letters", "p", "--replay"),
    ("state", "p", "--reset", "--yes"),
    *[("run", "whole")] * 3,
)
THINGS = 3000
Event = tuple[int, str, str]
BEGIN = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@dataclass
class Field:
    """The project, and all that its source has had so far.

    Attributes:
        root: its folder.
        zygote: forks its runs.
        chance: what decides over rows and moments.
        dsn: of an empty database; changes when its server starts anew.
        temporary: the temporary folder of the runs.
    """

    root: Path
    zygote: Zygote
    chance: random.Random
    dsn: str
    temporary: Path
    rows_a_step: int = 400
    events: list[Event] = field(default_factory=list)
    _steps: int = 0

    def prepare(self) -> None:
        """Write what is declared."""
        (self.root / "defs").mkdir(parents=True)
        (self.root / "in").mkdir()
        self.temporary.mkdir(exist_ok=True)
        (self.root / "defs" / "connectors.yaml").write_text(CONNECTORS)
        (self.root / "defs" / "p.yaml").write_text(PIPELINE)
        (self.root / "defs" / "whole.yaml").write_text(WHOLE)
        self._sql(f"create table things as select i as id, 0 as v from generate_series(1, {THINGS}) i")

    @property
    def environment(self) -> dict[str, str]:
        return {"PIPELINES_DEFS": "defs", "TEST_DSN": self.dsn, "TMPDIR": str(self.temporary)}

    def add(self) -> None:
        """More rows, of which three share each instant, also across the end of a step."""
        rows = []
        for number in range(self.rows_a_step):
            second = (self._steps * self.rows_a_step + number) // 3
            instant = BEGIN + dt.timedelta(seconds=second, microseconds=second % 7)
            value = self.chance.choice([*"abc" * 10, "x", "drop"])
            rows.append(((number * 7 + self._steps * 13) % 1201, instant.isoformat(), value))
        temporary = self.root / f"step-{self._steps:04d}.tmp"
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "at", "v"])
            writer.writerows(rows)
        temporary.rename(self.root / "in" / f"step-{self._steps:04d}.csv")
        self._steps += 1
        self.events += rows
        self._sql(f"update things set v = {self._steps}")

    def run(self, kill_after: float | None = None, command: tuple[str, ...] = ("run", "p")) -> int:
        """Run a command; the exit code, negative if it was killed."""
        status, _ = self.zygote.cli(self.root, *command, "--json", kill_after=kill_after, **self.environment)
        return status

    def command(self) -> tuple[str, ...]:
        """A command, by chance."""
        return self.chance.choice(COMMANDS)

    def report(self, name: str = "p") -> dict[str, Any]:
        """Run a pipeline to its end."""
        status, out = self.zygote.cli(self.root, "run", name, "--json", **self.environment)
        assert status == 0, out
        report: dict[str, Any] = json.loads(out)
        return report

    def verify(self, what: str) -> None:
        """Run to the end; everything is where it belongs, and nothing is where it does not."""
        self.report("whole")
        self.report()
        last = self.report()
        assert last["status"] == "nothing_new", f"{what}: the run after it is {last}"
        found, wanted = self._contents(), self._expected()
        for name, rows in wanted.items():
            assert found[name] == rows, f"{what}: {name} differs"
        site = Site(self.root, self.dsn, ("postgres", "folder", "duckdb"), store_path=".pipelines/store")
        totals, loaded = site.totals(), sum(found["history"].values())
        assert totals["rows_in"] == len(self.events), f"{what}: {totals} for {len(self.events)} rows read"
        assert totals["rows_out"] == loaded, f"{what}: {totals} for {loaded} rows loaded"
        orphans = [path for path in site.orphans() if "/lake/history/" not in path and "/lake/whole/" not in path]
        orphans += [str(path) for path in unused_scratch(self.temporary)]
        orphans += [path for name in ("history", "whole") for path in self._orphans_in(name)]
        assert not orphans, f"{what}: {orphans} belong to nothing"
        running = [run["token"] for run in self._runs() if run["status"] == "running"]
        assert not running, f"{what}: {running} are not running any more"

    def _runs(self) -> list[dict[str, Any]]:
        status, out = self.zygote.cli(self.root, "status", "p", "--json", **self.environment)
        assert status == 0, out
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def _sql(self, statement: str) -> None:
        """Change the source, for good: the server, which is fast rather than safe, may be killed the moment after."""
        with psycopg.connect(self.dsn, autocommit=True, options="-c synchronous_commit=on") as server:
            server.execute(statement.encode())

    def _orphans_in(self, table: str) -> list[str]:
        folder = self.root / "lake" / table
        live = {file.name for file in read_manifest(folder).files}
        return sorted(p.name for p in folder.iterdir() if p.name not in live and not p.name.startswith("_pipelines_"))

    def _contents(self) -> dict[str, Counter[tuple[Any, ...]]]:
        columns = 'id::bigint, epoch_us("at")::varchar, v'
        with duckdb.connect(self.root / "out" / "w.duckdb", read_only=True) as connection:
            found = {
                name: connection.execute(f"select {columns} from {source}").fetchall()
                for name, source in (
                    ("history", "raw.history"),
                    ("latest", "raw.latest"),
                    ("lake", f"read_parquet('{self.root}/lake/history/*.parquet')"),
                    ("lake_latest", f"read_parquet('{self.root}/lake/t/*.parquet')"),
                )
            }
            whole = {
                "whole": connection.execute("select id, v from raw.whole").fetchall(),
                "lake whole": connection.execute(f"from read_parquet('{self.root}/lake/whole/*.parquet')").fetchall(),
            }
        with psycopg.connect(self.dsn) as server:
            found["pg"] = server.execute(
                "select id, (extract(epoch from at) * 1000000)::bigint::text, v from raw.latest"
            ).fetchall()
            whole["pg whole"] = server.execute("select id, v from raw.whole").fetchall()
        found |= whole
        return {name: Counter(tuple(row) for row in rows) for name, rows in found.items()}

    def _expected(self) -> dict[str, Counter[tuple[Any, ...]]]:
        kept = [(number, _micros(at), value) for number, at, value in self.events if value in "abc"]
        newest: dict[int, tuple[int, str, str]] = {}
        for row in kept:  # in the order of their instants
            newest[row[0]] = row
        history, latest = Counter(kept), Counter(newest.values())
        whole = Counter((number, self._steps) for number in range(1, THINGS + 1))
        return {
            "history": history,
            "latest": latest,
            "lake": history,
            "pg": latest,
            "lake_latest": latest,
            **dict.fromkeys(("whole", "pg whole", "lake whole"), whole),
        }


def _micros(at: str) -> str:
    return str((dt.datetime.fromisoformat(at) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1))
