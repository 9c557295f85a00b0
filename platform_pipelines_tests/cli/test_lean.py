"""Runs without pandas where nothing needs it, and with it where something does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

_PANDAS = re.compile(r"\| +pandas\.core$", re.MULTILINE)  # an attempt that fails is listed as pandas alone
_TIDY = """
name: tidy
source: {connector: drops, stream: orders.csv, mode: full_refresh}
transforms: [{function: "own_functions:tidy"}]
destinations: [{connector: warehouse, table: raw.tidy, mode: replace}]
"""
_FUNCTION = """
def tidy(frame):
    return frame[frame["id"] > 1]
"""


def _run(folder: Folder, name: str) -> tuple[int, str]:
    environment = folder.environment() | {"PYTHONPROFILEIMPORTTIME": "1"}
    environment["PYTHONPATH"] = f"{folder.root}:{environment['PYTHONPATH']}"
    process = folder.start("run", name, "--json", env=environment)
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode()


def test_a_run_that_has_no_use_for_pandas_does_not_import_it(orders: Folder) -> None:
    for _ in range(2):
        code, said = _run(orders, "orders")
        assert code == 0, said[-3000:]
        assert "| pyarrow" in said.replace("  ", "")
        assert not _PANDAS.search(said)
    assert orders.query("select count(*) from raw.orders") == [(2,)]


def test_a_function_gets_its_frame(orders: Folder) -> None:
    orders.write("own_functions.py", _FUNCTION)
    orders.write("defs/sales/tidy.yaml", _TIDY)
    code, said = _run(orders, "tidy")
    assert code == 0, said[-3000:]
    assert _PANDAS.search(said)
    assert orders.query("select list(id order by id) from raw.tidy") == [([2, 3],)]


def test_a_guess_that_fails_far_down_starts_over(orders: Folder) -> None:
    lines = [f"{i},{i}.5,2026-01-01 00:00:00" for i in range(70_000)]
    lines[69_000] = "69000,a dozen,2026-01-01 00:00:00"
    orders.write("in/orders.csv", "\n".join(["id,amount,at", *lines]))
    orders.write("defs/sales/tidy.yaml", _TIDY.replace('transforms: [{function: "own_functions:tidy"}]\n', ""))
    answer = orders.type("run", "tidy", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["rows"]["read"] == 70_000
    assert answer.json["rows"]["loaded"] == {"warehouse": 70_000}
    assert orders.query("select typeof(amount), count(*) from raw.tidy group by all") == [("VARCHAR", 70_000)]
    assert len(list(orders.root.glob(".pipelines/store/**/part-*.parquet"))) == 1
