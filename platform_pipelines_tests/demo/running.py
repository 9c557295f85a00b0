"""Run the demo as a program of its own, and read what it printed and stored."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from platform_pipelines_tests.demo.expected import Row

_TITLES = {
    "runs": "Runs: rows read, and what became of them",
    "dead_letters": "Open dead letters by rule",
    "tables": "Rows in the warehouse",
    "delays": "Longest departure delays by carrier and month (minutes)",
}


@dataclass(frozen=True)
class Demo:
    """A run of the demo: its folder and its standard output."""

    folder: Path
    output: str

    def printed(self, section: str) -> list[dict[str, str]]:
        """The rows of a printed table; every value as it was printed."""
        lines = self.output.split(_TITLES[section] + "\n")[1].split("\n\n")[0].splitlines()
        head, *rows = [re.split(r" {2,}", line.strip()) for line in lines]
        return [dict(zip(head, row, strict=True)) for row in rows]

    def warehouse(self, table: str, columns: Sequence[str]) -> list[Row]:
        """Rows of a table of the warehouse."""
        return warehouse_rows(self.folder, table, columns)

    def lake(self, table: str, columns: Sequence[str]) -> list[Row]:
        """Rows of a folder of Parquet files."""
        rows: list[Row] = []
        for file in sorted((self.folder / "data/lake" / table).rglob("*.parquet")):
            rows += pq.ParquetFile(file).read(columns=list(columns)).to_pylist()
        return rows


def environment(folder: Path) -> dict[str, str]:
    """Variables of a shell in which nobody has set anything for this project."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINES_", "DAGSTER_"))}
    return inherited | {"PWD": str(folder)}


def run_demo(folder: Path) -> Demo:
    """Run the demo in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-m", "platform_pipelines.demo"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Demo(folder, done.stdout)


def warehouse_rows(folder: Path, table: str, columns: Sequence[str]) -> list[Row]:
    """Rows of a table of the demo's warehouse, in no order; instants in UTC."""
    connection = duckdb.connect(str(folder / "data/warehouse.duckdb"), read_only=True)
    try:
        connection.execute("set timezone='UTC'")
        cursor = connection.execute(f"select {', '.join(columns)} from {table}")
        return [dict(zip(columns, map(_plain, values), strict=True)) for values in cursor.fetchall()]
    finally:
        connection.close()


def ordered(rows: list[Row]) -> list[Any]:
    """Rows as sorted tuples, to compare two sets of rows with their multiplicity."""
    columns = sorted(rows[0]) if rows else []
    return sorted(tuple((row[name] is None, row[name]) for name in columns) for row in rows)


def _plain(value: Any) -> Any:
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
