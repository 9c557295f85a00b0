"""A small project in a folder of its own, and a way to type commands in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from platform_pipelines.cli.main import execute

if TYPE_CHECKING:
    import pytest

CONNECTORS = """\
drops: {type: files, root: in, format: csv}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
ORDERS = """\
name: orders
domain: sales
source:
  connector: drops
  stream: orders.csv
  mode: incremental
  cursor: {field: at, timezone: UTC}
quality:
  rules:
    - {id: amount_there, type: required, fields: [amount], severity: error}
    - {id: amount_small, type: range, field: amount, max: 100, severity: warning}
destinations:
  - {connector: warehouse, table: raw.orders, mode: merge, key: [id]}
"""
ROWS = """\
id,amount,at
1,10.5,2026-01-01 00:00:00
2,,2026-01-02 00:00:00
3,700,2026-01-03 00:00:00
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as the one JSON value it must be."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Folder:
    """A project folder; the current folder of the test."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def type(self, *words: str) -> Answer:
        """Run a command in this process."""
        self.capsys.readouterr()
        code = execute(words)
        printed = self.capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command as a process of its own."""
        command = [sys.executable, "-m", "platform_pipelines", *words]
        pipes: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        given = {"env": self.environment(), "stdin": subprocess.DEVNULL} | pipes | options
        return subprocess.Popen(command, cwd=self.root, **given)

    def environment(self) -> dict[str, str]:
        """This process's, with the project's own source first on the path."""
        own = str(Path(__file__).resolve().parents[2])
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH")]))}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.root / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()
