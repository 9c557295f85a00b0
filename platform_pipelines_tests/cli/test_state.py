from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def test_before_the_first_run(orders: Folder) -> None:
    answer = orders.type("state", "orders")
    assert (answer.code, answer.out) == (0, "Nothing has landed yet. Run it: `pipelines run orders`.\n")
    assert orders.type("state", "orders", "--json").json["watermark"] is None


def test_watermark_batches_and_offsets(orders: Folder) -> None:
    orders.type("run", "orders")
    body = orders.type("state", "orders", "--json").json
    assert (body["pipeline"], body["watermark"], body["batches"]) == ("orders", "2026-01-03T00:00:00", 1)
    assert body["destinations"]["warehouse"] == {"epoch": 1, "sequence": 1, "behind": 0, "error": None}
    lines = orders.type("state", "orders").out.splitlines()
    assert lines[0].split() == ["PARTITION", "WATERMARK", "EPOCH", "BATCHES", "LANDED", "AT", "WAREHOUSE"]
    assert lines[1].split()[:4] == ["all", "2026-01-03T00:00:00", "1", "1"]
    assert lines[1].split()[-1] == "1/1"


def test_rows_are_those_of_all_batches(orders: Folder) -> None:
    for row in ("", "4,1,2026-01-04 00:00:00\n", "5,1,2026-01-05 00:00:00\n"):
        with (orders.root / "in/orders.csv").open("a") as file:
            file.write(row)
        orders.type("run", "orders")
    (feed,) = orders.type("state", "orders", "--json").json["feeds"]
    assert (feed["batches"], feed["rows"]) == (3, 5)


def test_a_destination_behind_is_shown(orders: Folder) -> None:
    orders.type("run", "orders", "--only", "landing")
    orders.type("run", "orders", "--only", "validated")
    assert orders.type("state", "orders").out.splitlines()[1].endswith("nothing loaded, 1 behind")


def test_of_a_destination_that_cannot_be_asked_it_is_not_known_how_far_it_is_behind(orders: Folder) -> None:
    orders.type("run", "orders", "--only", "validated")
    orders.write(
        "defs/connectors.yaml",
        "drops: {type: files, root: in, format: csv}\n"
        'warehouse: {type: postgres, dsn: "postgresql://u:secret-word@127.0.0.1:1/db"}\n',
    )
    state = orders.type("state", "orders", "--json").json["destinations"]["warehouse"]
    assert (state["epoch"], state["sequence"], state["behind"]) == (None, None, None)
    assert state["error"].startswith("PostgreSQL (127.0.0.1:1/db) cannot be reached")
    assert state["error"].endswith("accepting TCP/IP connections?")
    assert "secret-word" not in state["error"]


def test_a_held_batch_is_shown_with_the_next_step(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("destinations:", "  gate: {max_rejected: 0}\ndestinations:"))
    orders.type("run", "orders")
    answer = orders.type("state", "orders")
    assert answer.err.startswith("Held: ")
    assert "`pipelines run orders --release`" in answer.err


def test_reset_asks_and_without_a_terminal_does_nothing(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--reset")
    assert answer.code == 2
    assert "`pipelines state orders --reset --yes`" in answer.err
    assert orders.type("run", "orders", "--json").json["status"] == "nothing_new"


def test_reset_makes_the_next_run_read_all(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--reset", "--yes")
    assert answer.code == 0
    assert answer.err.startswith("Reset 1 feed: all. Next: `pipelines run orders`.")
    assert orders.type("run", "orders", "--json").json["rows"]["read"] == 3
    assert orders.query("select count(*) from raw.orders") == [(2,)]


def test_reset_of_nothing_and_of_unknown_names_is_2(orders: Folder) -> None:
    assert orders.type("state", "orders", "--reset", "--yes").code == 2
    answer = orders.type("state", "order", "--reset")
    assert answer.code == 2
    assert "Did you mean `orders`?" in answer.err


@pytest.mark.parametrize("name", ["000001.json", "000001.verdict.json"])
def test_the_way_out_of_a_damaged_log_can_be_typed_as_it_stands(orders: Folder, name: str) -> None:
    orders.type("run", "orders")
    (orders.root / ".pipelines/store/orders/feeds/all/e000001" / name).write_text("{")
    answer = orders.type("state", "orders", "--history")
    assert answer.code == 1
    told = re.search(r"start the feed over with `pipelines ([^`]+)`", answer.err)
    assert told is not None, answer.err
    assert orders.type(*told[1].split(), "--yes").code == 0
    assert orders.type("run", "orders").code == 0
    assert orders.query("select count(*) from raw.orders") == [(2,)]


def test_partition_needs_a_tool(orders: Folder) -> None:
    answer = orders.type("state", "orders", "--partition", "x")
    assert answer.code == 2
    assert "goes with `--reset`" in answer.err


def test_destinations_of_a_pipeline_that_never_ran_are_listed(orders: Folder) -> None:
    before = orders.type("state", "orders", "--json").json
    assert before == {
        "pipeline": "orders",
        "watermark": None,
        "batches": 0,
        "held": None,
        "destinations": {"warehouse": {"epoch": None, "sequence": None, "behind": 0, "error": None}},
        "feeds": [],
    }
    assert not (orders.root / "warehouse.duckdb").exists()
    orders.type("run", "orders")
    after = orders.type("state", "orders", "--json").json
    assert after["destinations"]["warehouse"].keys() == before["destinations"]["warehouse"].keys()
