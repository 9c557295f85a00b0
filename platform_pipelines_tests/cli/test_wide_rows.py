"""Rows that are wider than DuckDB's memory: they are shown, or refused in words of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

_BIG = """\
name: big
source: {connector: {type: files, root: in, format: jsonl}, stream: big.jsonl, mode: full_refresh}
destinations:
  - {connector: warehouse, table: raw.big, mode: append}
"""


def test_values_that_do_not_fit_are_refused_in_plain_words(orders: Folder) -> None:
    orders.write("defs/sales/big.yaml", _BIG)
    orders.write("in/big.jsonl", '{"id": 1, "text": "' + "x" * 24_000_000 + '"}\n')
    environment = orders.environment() | {"PIPELINES_DUCKDB_MEMORY": "30MB"}
    process = orders.start("preview", "big", env=environment)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.decode() == (
        "The command needs more memory than DuckDB was given (28.6 MiB): very wide rows, or very large values. Nothing "
        "is half done. Set PIPELINES_DUCKDB_MEMORY to more, such as 2GB, then run again.\n"
    )
