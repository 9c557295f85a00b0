"""History, rewind and explanation as they are typed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.model import Feed
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def test_history_is_a_table_newest_first(orders: Folder) -> None:
    assert orders.type("state", "orders", "--history").out.startswith("Nothing has landed yet.")
    orders.type("run", "orders")
    lines = orders.type("state", "orders", "--history").out.splitlines()
    assert lines[0].split()[:4] == ["PARTITION", "BATCH", "KIND", "AT"]
    assert [line.split()[1:3] for line in lines[1:]] == [["1/1", "extract"], ["1/", "epoch"]]
    assert "first run" in lines[2]


def test_history_as_json(orders: Folder) -> None:
    token = orders.type("run", "orders", "--json").json["token"]
    batch, epoch = orders.type("state", "orders", "--history", "--json").json
    assert (epoch["kind"], epoch["reason"], epoch["sequence"]) == ("epoch", "first run", None)
    assert (batch["run"], batch["status"], batch["watermark"]["to"]) == (token, "passed", "2026-01-03T00:00:00")
    assert batch["rows"] == {"read": 3, "landed": 3, "rejected": 1}


def test_rewind_asks_and_without_a_terminal_does_nothing(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--rewind", "2026-01-02")
    assert answer.code == 2
    assert "back from 2026-01-03T00:00:00 to 2026-01-02T00:00:00 and read again from there?" in answer.err
    assert "`pipelines state orders --rewind 2026-01-02 --yes`" in answer.err
    assert orders.type("state", "orders", "--json").json["watermark"] == "2026-01-03T00:00:00"


def test_rewind_makes_the_next_run_read_again_from_there(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--rewind", "2026-01-02", "--yes", "--json")
    assert (answer.code, answer.json["watermark"]) == (0, "2026-01-02T00:00:00")
    assert answer.err.startswith("Rewound orders from 2026-01-03T00:00:00 to 2026-01-02T00:00:00. Next: ")
    assert orders.type("run", "orders", "--json").json["rows"]["read"] == 2
    assert orders.query("select id from raw.orders order by id") == [(1,), (3,)]
    assert orders.type("state", "orders", "--rewind", "1/1", "--yes").err.endswith("nothing was done.\n")


def test_explain_says_what_became_of_a_row(orders: Folder) -> None:
    token = orders.type("run", "orders", "--json").json["token"]
    lines = orders.type("state", "orders", "--explain", "2").out.splitlines()
    assert lines[0] == "id=2: read 1 time."
    assert "rejected by rule amount_there: amount: NULL is not allowed" in lines[2]
    assert lines[2].endswith(token)
    assert lines[-1] == "warehouse: absent. No version of the row was to be loaded."
    loaded = orders.type("state", "orders", "--explain", "id=1").out.splitlines()
    assert loaded[-1].startswith("warehouse: loaded. Loaded with batch 1/1, row 0 of e000001/")
    unknown = orders.type("state", "orders", "--explain", "9")
    assert unknown.out == "id=9: no batch holds such a row.\n"
    assert unknown.err == "orders has been read up to 2026-01-03T00:00:00.\n"


def test_explain_as_json(orders: Folder) -> None:
    orders.type("run", "orders")
    body = orders.type("state", "orders", "--explain", "2", "--json").json
    assert (body["key"], body["found"], body["versions"][0]["rule"]) == ({"id": "2"}, True, "amount_there")
    assert body["destinations"]["warehouse"]["status"] == "absent"
    assert set(body) == {"pipeline", "key", "found", "versions", "destinations", "retired", "notes"}


def test_what_retention_removed_is_said(orders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "0h")
    orders.type("run", "orders")
    with (orders.root / "in/orders.csv").open("a") as file:
        file.write("4,1,2026-01-04 00:00:00\n")
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--explain", "1")
    assert "The files of 1 batch were removed by retention (1/1)" in answer.out


@pytest.mark.parametrize("tools", [("--reset", "--history"), ("--rewind", "1", "--explain", "1")])
def test_one_tool_at_a_time(orders: Folder, tools: tuple[str, ...]) -> None:
    answer = orders.type("state", "orders", *tools)
    assert (answer.code, "Give one of" in answer.err) == (2, True)


def test_a_key_that_is_none_is_answered_with_the_columns(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--explain", "1,2")
    assert (answer.code, "Columns: amount, at, id." in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("key", "said"),
    [("1\n2", "is no key (new-line character"), ("id=1,id=2", "'id=1,id=2' names column `id` twice.")],
)
def test_a_key_that_cannot_be_meant_is_refused(orders: Folder, key: str, said: str) -> None:
    orders.type("run", "orders")
    answer = orders.type("state", "orders", "--explain", key)
    assert (answer.code, said in answer.err) == (2, True), answer.err


@pytest.mark.parametrize("tool", [("--reset",), ("--rewind", "2026-01-02")])
def test_ctrl_c_while_queued_leaves_everything_as_it_was(orders: Folder, tool: tuple[str, ...]) -> None:
    orders.type("run", "orders")
    before = orders.type("state", "orders", "--history", "--json").json
    log = Store(".pipelines/store", orders.root).feed(Feed("orders"))
    with log.lock("pt-running"):
        process = orders.start("state", "orders", *tool, "--yes")
        assert process.stderr is not None
        assert b"Queued behind it; Ctrl-C gives up, and nothing is done." in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    process.communicate()
    assert orders.type("state", "orders", "--history", "--json").json == before
