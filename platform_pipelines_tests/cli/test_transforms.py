"""What the command line says of transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.cli.transformed import transform_rows, warnings
from platform_pipelines.store.runs import Entry
from platform_pipelines_tests.cli.commands import ORDERS

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

TRANSFORMS = """\
transforms:
  - {label: Big, filter: "id > 1"}
  - {label: Broken, required: false, sql: "select cast('x' || id as int) as n from input"}
"""


def test_a_run_shows_counts_and_warns_of_what_was_skipped(orders: Folder) -> None:
    orders.write("defs/sales/orders.yaml", ORDERS + TRANSFORMS)
    answer = orders.type("run", "orders")
    assert answer.code == 0, answer.err
    lines = [line.split()[:7] for line in answer.out.splitlines()]
    assert ["Big", "filter", "3", "2", "1", "0", "0"] in lines
    assert "Warning: transform `Broken` was skipped in 1 batch, 2 rows: Transform `Broken` (sql" in answer.err
    assert orders.type("run", "orders", "--json").json["status"] == "nothing_new"


def test_figures_of_several_partitions_are_summed() -> None:
    one = {
        "transform": "T", "kind": "sql", "rows_in": 3, "rows_out": 3, "dropped": 0, "added": 0, "rejected": 0,
        "skipped": 1, "seconds": 0.25, "note": "", "error": "why",
    }  # fmt: skip
    entries = [Entry("pt-x", "p", "validated", 0.0, {"transforms": [one]}) for _ in range(2)]
    assert transform_rows(entries) == [("T", "sql", 6, 6, 0, 0, 0, 0.5, "skipped")]
    assert warnings(entries) == ["Warning: transform `T` was skipped in 2 batches, 6 rows: why"]
    assert transform_rows([Entry("pt-x", "p", "validated", 0.0, {})]) == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{map: {id: {convert: 'no_such_module_anywhere:f'}}}", "importing `no_such_module_anywhere` failed"),
        ("{map: {at: {convert: date, format: '%q'}}}", "%q is none that can be used"),
        ("{mask: {id: {how: sha256, salt: pepper}}}", "`salt` must be a secret reference"),
    ],
)
def test_check_names_file_and_line(orders: Folder, said: str, message: str) -> None:
    orders.write("defs/sales/orders.yaml", f"{ORDERS}transforms:\n  - {said}\n")
    answer = orders.type("check")
    assert answer.code == 2
    assert f"orders.yaml:{ORDERS.count(chr(10)) + 2}: " in answer.err
    assert message in answer.err
