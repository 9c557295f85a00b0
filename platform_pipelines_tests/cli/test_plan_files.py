"""`pipelines plan` of a table folder whose connection has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

_LAKE = "lake: {{type: files, root: lake, {}}}\n"
_TABLE = "  - {connector: lake, table: orders, mode: append}\n"


def loaded(orders: Folder, now: str) -> None:
    """Rows as plain CSV, one more to come, and a connection that is declared in another way since."""
    connectors, pipeline = orders.root / "defs/connectors.yaml", orders.root / "defs/sales/orders.yaml"
    before = connectors.read_text()
    connectors.write_text(before + _LAKE.format("format: csv"))
    pipeline.write_text(pipeline.read_text() + _TABLE)
    assert orders.type("run", "orders").code == 0
    connectors.write_text(before + _LAKE.format(now))
    with (orders.root / "in/orders.csv").open("a") as file:
        file.write("4,1,2026-01-04 00:00:00\n")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("format: jsonl", "the format was 'csv' and is 'jsonl'"),
        ("format: csv, options: {compression: gzip}", "the format was 'csv' and is 'csv.gz'"),
        ("format: csv, options: {delimiter: ';'}", "the delimiter was ',' and is ';'"),
        ("format: csv, options: {header: false}", "the header was one and is none (id, amount, at in this order)"),
    ],
)
def test_files_that_will_be_written_anew_are_told_with_the_reason(orders: Folder, now: str, said: str) -> None:
    loaded(orders, now)
    (file,) = (orders.root / "lake/orders").glob("*.csv")
    answer = orders.type("plan", "orders")
    size = f"{file.stat().st_size:,}"
    assert f"\nFiles\n  orders: the next load writes 1 file ({size} bytes) anew, since {said}\n" in answer.out
    assert set(orders.type("plan", "orders", "--json").json) == {
        "window", "query", "ddl", "destructive", "estimated_rows"}  # fmt: skip
    assert orders.type("run", "orders").code == 0
    assert not file.exists()
    assert "Files" not in orders.type("plan", "orders").out


def test_nothing_is_said_where_the_files_stay(orders: Folder) -> None:
    loaded(orders, "format: csv")
    assert "anew" not in orders.type("plan", "orders").out


def test_nothing_is_said_where_a_full_refresh_drops_them(orders: Folder) -> None:
    loaded(orders, "format: jsonl")
    assert "anew" not in orders.type("plan", "orders", "--full-refresh").out
