"""Runs without pandas and numpy where nothing needs them, and with them where something does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from platform_pipelines_tests.cli.commands import CONNECTORS

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

_PANDAS = re.compile(r"\| +pandas\.core$", re.MULTILINE)  # an attempt that fails is listed as pandas alone
_DATA_SETS = re.compile(r"\| +(pyarrow\._dataset|dateutil\._common)$", re.MULTILINE)
_NUMPY = re.compile(r"\| +numpy\._core$", re.MULTILINE)
#: rows to hash at the watermark, to merge, to take out of files: all that is done without rules
_PLAIN = """
name: plain
source: {connector: drops, stream: orders.csv, mode: incremental, cursor: {field: at, timezone: UTC}}
destinations:
  - {connector: warehouse, table: raw.plain, mode: merge, key: [id]}
  - {connector: lake, table: plain, mode: merge, key: [id]}
"""
_KNOWN = """
name: known
source: {connector: drops, stream: known.csv, mode: full_refresh}
destinations: [{connector: warehouse, table: raw.known, mode: replace}]
"""
_JUDGED = """
name: judged
source: {connector: drops, stream: orders.csv, mode: incremental, cursor: {field: at, timezone: UTC}}
quality:
  rules:
    - {id: there, type: required, fields: [amount]}
    - {id: possible, type: range, field: amount, min: 0, max: 1000}
    - {id: positive, type: condition, sql: amount > 0}
    - {id: known, type: foreign_key, field: vendor, reference: {connector: warehouse, table: raw.known, field: vendor}}
    - {id: listed, type: accepted, field: vendor, values: [CMT, VTS]}
    - {id: code_form, type: regex, field: code, pattern: "^[a-z]+$"}
    - {id: code_odd, type: regex, field: code, pattern: "^(?!x).*$"}
    - {id: once, type: unique, fields: [id]}
    - {id: some, type: volume, min_rows: 1}
    - {id: fresh, type: freshness, field: at, max_age: 9000d}
    - {id: usual, type: anomaly, metric: rows}
destinations: [{connector: warehouse, table: raw.judged, mode: append}]
"""
_JUDGED_ROWS = """\
id,amount,vendor,code,at
1,1.5,CMT,a,2026-01-01
2,2.5,VTS,b,2026-01-02
3,,CMT,c,2026-01-03
4,-4,CMT,d,2026-01-04
5,5,DDS,e,2026-01-05
6,6,CMT,x1,2026-01-06
7,7.5,CMT,f,2026-01-07
7,8.5,CMT,g,2026-01-08
9,9.5,CMT,h,2026-01-09
"""
_TIDY = """
name: tidy
source: {connector: drops, stream: orders.csv, mode: full_refresh}
transforms: [{function: "own_functions:tidy"}]
destinations: [{connector: warehouse, table: raw.tidy, mode: replace}]
"""
_PLUG_IN = """
import sys

print("plugged in", file=sys.stderr)


class plugin:
    new_schema_validator = lambda *_: (None, None, None)
"""
_FUNCTION = """
def tidy(frame):
    return frame[frame["id"] > 1]
"""


def _run(folder: Folder, name: str, *, words: tuple[str, ...] = ("--json",), **variables: str) -> tuple[int, str]:
    environment = folder.environment() | {"PYTHONPROFILEIMPORTTIME": "1"} | variables
    environment["PYTHONPATH"] = f"{folder.root}:{environment['PYTHONPATH']}"
    process = folder.start("run", name, *words, env=environment)
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode()


def test_a_run_that_has_no_use_for_pandas_does_not_import_it(orders: Folder) -> None:
    for _ in range(2):
        code, said = _run(orders, "orders")
        assert code == 0, said[-3000:]
        assert "| pyarrow" in said.replace("  ", "")
        assert not _PANDAS.search(said)
        assert not _DATA_SETS.search(said)
    assert orders.query("select count(*) from raw.orders") == [(2,)]


def test_a_run_without_rules_does_not_import_numpy(orders: Folder) -> None:
    orders.write("defs/connectors.yaml", f"{CONNECTORS}\nlake: {{type: files, root: lake, format: parquet}}\n")
    orders.write("defs/sales/plain.yaml", _PLAIN)
    for lines in ("1,1.5,2026-01-01\n2,2.5,2026-01-02\n", "2,9.5,2026-01-02\n2,3.5,2026-01-03\n3,4.5,2026-01-03\n"):
        orders.write("in/orders.csv", f"id,amount,at\n{lines}")
        code, said = _run(orders, "plain")
        assert code == 0, said[-3000:]
        assert not _NUMPY.search(said)
        assert not _DATA_SETS.search(said)
    rows = [(1, 1.5), (2, 3.5), (3, 4.5)]
    assert orders.query("select id, amount from raw.plain order by id") == rows
    assert orders.query(f"select id, amount from '{orders.root}/lake/plain/*.parquet' order by id") == rows


def test_rules_of_every_kind_do_without_numpy(orders: Folder) -> None:
    orders.write("defs/sales/judged.yaml", _JUDGED)
    orders.write("in/known.csv", "vendor\nCMT\nVTS\n")
    orders.write("defs/sales/known.yaml", _KNOWN)
    assert orders.type("run", "known").code == 0
    orders.write("in/orders.csv", _JUDGED_ROWS)
    code, said = _run(orders, "judged")
    assert code == 0, said[-3000:]
    assert not _NUMPY.search(said)
    assert not _DATA_SETS.search(said)
    assert orders.query("select id from raw.judged order by id") == [(1,), (2,), (7,), (9,)]
    dead = orders.type("dead-letters", "judged", "--json").json
    found = {(row["record"]["amount"], tuple(row["rules"])) for row in dead}
    assert found == {
        (None, ("there",)),
        (-4, ("possible", "positive")),
        (5, ("known", "listed")),
        (6, ("code_form", "code_odd")),
        (7.5, ("once",)),
    }


def test_a_run_that_no_terminal_shows_does_without_rich_and_cloud_stores(orders: Folder) -> None:
    code, said = _run(orders, "orders", words=(), PYTHONPROFILEIMPORTTIME="", PYTHONVERBOSE="1")
    assert code == 0, said[-3000:]
    assert "import 'pyarrow._fs'" in said
    assert not re.findall(r"import '(?:rich\.console|pyarrow\._(?:s3|gcs|azure|hd)fs)'", said)


def test_plug_ins_of_pydantic_are_not_looked_for_unless_somebody_says_so(orders: Folder) -> None:
    orders.write("plugged-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    orders.write("plugged-1.dist-info/entry_points.txt", "[pydantic]\nplugged = plugged_in:plugin\n")
    orders.write("plugged_in.py", _PLUG_IN)
    for variables, found in (({}, False), ({"PYDANTIC_DISABLE_PLUGINS": ""}, True)):
        code, said = _run(orders, "orders", **variables)
        assert code == 0, said[-3000:]
        assert ("plugged in" in said) is found


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


def test_rejected_rows_are_left_out_without_numpy(orders: Folder) -> None:
    orders.type("run", "orders", "--only", "landing")
    orders.type("run", "orders", "--only", "validated")
    text = (orders.root / "defs/sales/orders.yaml").read_text()
    orders.write("defs/sales/orders.yaml", re.sub(r"quality:.*?destinations", "destinations", text, flags=re.DOTALL))
    code, said = _run(orders, "orders")
    assert code == 0, said[-3000:]
    assert not _NUMPY.search(said)
    assert orders.query("select id from raw.orders order by id") == [(1,), (3,)]
