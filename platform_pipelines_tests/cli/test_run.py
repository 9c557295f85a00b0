from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.cli.commands import CONNECTORS

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

DAYS = """\
name: days
source: {connector: drops, stream: days.csv, mode: incremental, cursor: {field: at, timezone: UTC}}
partitions: {by: day, field: at, start: 2026-01-01, end: 2026-01-04}
destinations:
  - {connector: warehouse, table: raw.days, mode: merge, key: [id]}
"""
DAY_ROWS = "id,at\n1,2026-01-01 10:00:00\n2,2026-01-02 10:00:00\n3,2026-01-03 10:00:00\n"
GATED = "  gate: {max_rejected: 0}\ndestinations:"
KEYS = {"pipeline", "status", "token", "partitions", "watermark", "rows", "bytes", "seconds", "destinations", "error"}


@pytest.fixture
def days(orders: Folder) -> Folder:
    orders.write("defs/days.yaml", DAYS)
    orders.write("in/days.csv", DAY_ROWS)
    return orders


@pytest.fixture
def gated(orders: Folder) -> Folder:
    """The gate tolerates no rejected row; one of the three will be."""
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("destinations:", GATED))
    return orders


def test_json_is_exactly_one_object_with_the_promised_keys(orders: Folder) -> None:
    answer = orders.type("run", "orders", "--json")
    body = answer.json
    assert answer.code == 0
    assert set(body) == KEYS
    assert body["pipeline"] == "orders"
    assert body["status"] == "success"
    assert re.fullmatch(r"pt-[0-9a-z]{26}", body["token"])
    assert body["partitions"] == []
    assert body["watermark"] == {"from": None, "to": "2026-01-03T00:00:00"}
    assert body["rows"] == {
        "read": 3,
        "filtered": 0,
        "deduplicated": 0,
        "rejected": 1,
        "flagged": 1,
        "loaded": {"warehouse": 2},
    }
    assert body["destinations"] == {"warehouse": {"status": "success", "rows": 2, "error": None}}
    assert body["error"] is None
    assert orders.query("select id, amount from raw.orders order by id") == [(1, 10.5), (3, 700)]


def test_nothing_new_is_0(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("run", "orders", "--json")
    assert (answer.code, answer.json["status"]) == (0, "nothing_new")


def test_people_get_tables_rules_and_the_next_step(orders: Folder) -> None:
    answer = orders.type("run", "orders")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "orders: success"
    assert lines[1].startswith("read 3 rows, landed ")
    headers = "DESTINATION STATUS ROWS REJECTED FILTERED DEDUPLICATED FLAGGED WATERMARK SECONDS ROWS/S"
    assert lines[3].split() == headers.split()
    assert lines[4].split()[:8] == ["warehouse", "success", "2", "1", "0", "0", "1", "2026-01-03T00:00:00"]
    assert lines[6].split() == ["RULE", "SEVERITY", "OUTCOME", "ROWS", "FAILED"]
    assert lines[7].split() == ["amount_there", "error", "failed", "1"]
    assert lines[8].split() == ["amount_small", "warning", "failed", "1"]
    assert answer.err == "1 record rejected: `pipelines dead-letters orders`.\n"


def test_a_closed_gate_is_3_and_says_what_to_do(gated: Folder) -> None:
    answer = gated.type("run", "orders")
    assert answer.code == 3
    assert answer.out.startswith("orders: gate closed\n")
    steps = ("--full-refresh", "--release", "--discard")
    for step in ("pipelines state orders", *(f"pipelines run orders {each}" for each in steps)):
        assert step in answer.err
    assert gated.type("run", "orders", "--json").json["status"] == "gate_closed"


def test_a_held_batch_can_be_released(gated: Folder) -> None:
    gated.type("run", "orders")
    answer = gated.type("run", "orders", "--release", "--json")
    assert (answer.code, answer.json["rows"]["loaded"]) == (0, {"warehouse": 2})


def test_a_held_batch_can_be_discarded(gated: Folder) -> None:
    gated.type("run", "orders")
    answer = gated.type("run", "orders", "--discard", "--json")
    assert (answer.code, answer.json["rows"]["rejected"]) == (0, 3)
    assert len(gated.type("dead-letters", "orders", "--json").json) == 3


def test_nothing_to_release_is_2(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("run", "orders", "--release", "--json")
    assert answer.code == 2
    assert answer.json["status"] == "failed"
    assert "no held batch" in answer.json["error"]


def test_partitions_by_key(days: Folder) -> None:
    body = days.type("run", "days", "--partition", "2026-01-02", "--partition", "2026-01-03", "--json").json
    assert body["partitions"] == ["2026-01-02", "2026-01-03"]
    assert days.query("select id from raw.days order by id") == [(2,), (3,)]
    assert days.type("run", "days").out.startswith("days: success, 3 partitions 2026-01-01, 2026-01-02, 2026-01-03\n")


def test_partitions_by_range_are_half_open(days: Folder) -> None:
    body = days.type("run", "days", "--from", "2026-01-01", "--to", "2026-01-03", "--json").json
    assert body["partitions"] == ["2026-01-01", "2026-01-02"]


def test_a_cursor_window_is_read_again_and_the_watermark_stays(orders: Folder) -> None:
    orders.type("run", "orders")
    orders.write("in/orders.csv", "id,amount,at\n1,11,2026-01-01 00:00:00\n3,7,2026-01-03 00:00:00\n")
    body = orders.type("run", "orders", "--from", "2026-01-01", "--to", "2026-01-02", "--json").json
    assert body["watermark"] == {"from": "2026-01-03T00:00:00", "to": "2026-01-03T00:00:00"}
    assert orders.query("select id, amount from raw.orders order by id") == [(1, 11), (3, 700)]


def test_only_one_stage(orders: Folder) -> None:
    landed = orders.type("run", "orders", "--only", "landing", "--json").json
    assert (landed["rows"]["read"], landed["rows"]["loaded"]) == (3, {})
    validated = orders.type("run", "orders", "--only", "validated", "--json").json
    assert (validated["rows"]["read"], validated["rows"]["rejected"]) == (0, 1)
    loaded = orders.type("run", "orders", "--only", "warehouse", "--json").json
    assert loaded["rows"]["loaded"] == {"warehouse": 2}


def test_full_refresh_replaces(orders: Folder) -> None:
    orders.type("run", "orders")
    orders.write("in/orders.csv", "id,amount,at\n9,1.5,2026-01-09 00:00:00\n")
    assert orders.type("run", "orders", "--full-refresh").code == 0
    assert orders.query("select id from raw.orders") == [(9,)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--release", "--discard"), "either `--release` or `--discard`"),
        (("--release", "--full-refresh"), "`--release` decides on what has landed"),
        (("--discard", "--from", "1", "--to", "2"), "`--discard` decides on what has landed"),
        (("--release", "--only", "warehouse"), "does not go with `--only warehouse`"),
        (("--full-refresh", "--only", "validated"), "does not go with `--only validated`"),
        (("--partition", "2026-01-01"), "has no partitions"),
        (("--from", "2026-01-01"), "`--from` and `--to` go together"),
        (("--to", "2026-01-01"), "`--from` and `--to` go together"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "must be later"),
        (("--from", "2026-01-02", "--to", "2026-01-02"), "must be later"),
        (("--full-refresh", "--from", "2026-01-01", "--to", "2026-01-02"), "`--full-refresh` reads everything"),
        (("--only", "warehose"), "Unknown stage `warehose`"),
    ],
)
def test_options_that_make_no_sense_are_2_and_do_nothing(orders: Folder, words: tuple[str, ...], said: str) -> None:
    answer = orders.type("run", "orders", *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == ""
    body = orders.type("run", "orders", *words, "--json").json
    assert set(body) == KEYS
    assert (body["pipeline"], body["status"], body["token"]) == ("orders", "failed", None)
    assert said in body["error"]
    assert orders.type("state", "orders", "--json").json["feeds"] == []


@pytest.mark.parametrize(
    "words", [("--partition", "2026-02-31"), ("--partition", "2030-01-01"), ("--from", "x", "--to", "y")]
)
def test_partitions_that_do_not_exist_are_2(days: Folder, words: tuple[str, ...]) -> None:
    answer = days.type("run", "days", *words)
    assert answer.code == 2
    assert answer.err.startswith("defs/days.yaml") or "not a date" in answer.err


def test_unknown_option_with_json_is_one_object(orders: Folder) -> None:
    answer = orders.type("run", "orders", "--jsn", "--json")
    assert answer.code == 2
    assert set(answer.json) == KEYS


def test_a_failed_run_is_1_and_says_which_file(orders: Folder) -> None:
    orders.write("in/orders.csv", "id,amount\n1,2\n")
    answer = orders.type("run", "orders")
    assert answer.code == 1
    assert answer.out.startswith("orders: failed\n")
    assert "'at' is not a column" in answer.err
    assert "run again" in answer.err
    assert orders.type("run", "orders", "--json").json["error"] == answer.err.splitlines()[0]


def test_one_destination_that_fails_makes_it_partial_and_1(orders: Folder) -> None:
    orders.write("defs/connectors.yaml", f"{CONNECTORS}away: {{type: postgres, dsn: 'postgresql://127.0.0.1:1/db'}}\n")
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + "  - {connector: away, table: public.orders, mode: append}\n")
    answer = orders.type("run", "orders", "--json")
    body = answer.json
    assert (answer.code, body["status"]) == (1, "partial")
    assert body["destinations"]["warehouse"] == {"status": "success", "rows": 2, "error": None}
    assert body["destinations"]["away"]["status"] == "failed"
    assert answer.err.startswith("away: ")
    assert "run again" in orders.type("run", "orders").err


def test_a_store_that_cannot_be_written_is_2(orders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.write("taken", "")
    monkeypatch.setenv("PIPELINES_STORE", str(orders.root / "taken" / "store"))
    answer = orders.type("run", "orders")
    assert answer.code == 2
    assert "PIPELINES_STORE" in answer.err


def test_modules_beside_the_workspace_are_found(orders: Folder) -> None:
    orders.write("workspace.yaml", "")
    orders.write("tidying.py", "def tidy(frame):\n    return frame[frame['id'] == 1]\n")
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + "transforms:\n  - function: tidying:tidy\n")
    body = orders.type("run", "orders", "--json").json
    assert (body["status"], body["rows"]["filtered"]) == ("success", 2)


def test_of_very_many_partitions_the_newest_are_shown(days: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    days.type("run", "days")
    monkeypatch.setattr("platform_pipelines.cli.state.SHOWN", 1)
    answer = days.type("state", "days")
    assert [line.split()[0] for line in answer.out.splitlines()] == ["PARTITION", "2026-01-03"]
    assert answer.err.endswith("2 earlier partitions not shown; `--json` has all.\n")
    assert len(days.type("state", "days", "--json").json["feeds"]) == 3


@pytest.mark.parametrize(
    "words", [("--only", "nowhere", "orders"), ("orders", "--only", "nowhere"), ("--partition", "x", "--yes", "orders")]
)
def test_json_of_a_refused_run_names_the_pipeline(orders: Folder, words: tuple[str, ...]) -> None:
    answer = orders.type("run", *words, "--json")
    assert (answer.code, answer.json["status"], answer.json["pipeline"]) == (2, "failed", "orders")
