from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.spec.jsonschema import json_schema

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.cli.commands import Folder


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    }


def test_plan_json_has_the_promised_keys_and_writes_nothing(orders: Folder) -> None:
    before = files(orders.root)
    answer = orders.type("plan", "orders", "--json")
    assert answer.code == 0
    body = answer.json
    assert set(body) == {"window", "query", "ddl", "destructive", "estimated_rows"}
    assert body["window"]["field"] == "at"
    assert body["destructive"] == []
    assert any("raw" in statement for statement in body["ddl"])
    assert files(orders.root).keys() - before.keys() <= {str(orders.root / "warehouse.duckdb")}


def test_plan_for_people_shows_the_window(orders: Folder) -> None:
    orders.type("run", "orders")
    answer = orders.type("plan", "orders")
    assert answer.code == 0
    assert "Window          2026-01-03T00:00:00 <= at" in answer.out
    assert answer.out.rstrip().endswith("Schema changes\n  none")


def test_preview_shows_rows_and_what_would_be_rejected(orders: Folder) -> None:
    answer = orders.type("preview", "orders", "--limit", "3")
    assert answer.code == 0
    assert "Would be loaded" in answer.out
    assert re.search(r"amount_there\s+.*\"id\": 2", answer.out)
    assert "Rule amount_small (warning): 1 of 3 failed." in answer.err
    assert orders.type("state", "orders", "--json").json["feeds"] == []


def test_preview_with_nothing_new_shows_the_first_rows_and_says_so(orders: Folder) -> None:
    before = orders.type("preview", "orders", "--limit", "2", "--json")
    orders.type("run", "orders")
    state = orders.type("state", "orders", "--json").json
    after = orders.type("preview", "orders", "--limit", "2", "--json")
    assert (after.code, after.json) == (0, before.json)
    assert after.err == "Nothing new since 2026-01-03T00:00:00; these are the first rows of the stream.\n"
    assert "Would be loaded" in orders.type("preview", "orders").out
    assert orders.type("state", "orders", "--json").json == state


def test_preview_shows_what_is_new_where_there_is_any(orders: Folder) -> None:
    orders.type("run", "orders")
    orders.write("in/orders.csv", "id,amount,at\n3,700,2026-01-03 00:00:00\n4,4,2026-01-04 00:00:00\n")
    answer = orders.type("preview", "orders", "--json")
    assert ([row["id"] for row in answer.json["rows"]], answer.err) == ([4], "")


def test_preview_of_a_source_that_has_become_empty_says_so(orders: Folder) -> None:
    orders.type("run", "orders")
    orders.write("in/orders.csv", "id,amount,at\n")
    answer = orders.type("preview", "orders")
    assert (answer.code, answer.out) == (0, "No record would be loaded: the next run reads nothing that is new.\n")


def test_preview_of_a_partition_shows_its_first_rows_and_no_others(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + "partitions: {by: day, field: at, start: 2026-01-01, end: 2026-01-04}\n")
    orders.type("run", "orders")
    answer = orders.type("preview", "orders", "--partition", "2026-01-01", "--json")
    assert [row["id"] for row in answer.json["rows"]] == [1]
    assert "these are the first rows of partition 2026-01-01." in answer.err
    assert "these are the first rows of partition 2026-01-03." in orders.type("preview", "orders").err


def test_preview_json_and_limit(orders: Folder) -> None:
    body = orders.type("preview", "orders", "--limit", "1", "--json").json
    assert [row["id"] for row in body["rows"]] == [1]
    assert body["rejected"] == []
    assert orders.type("preview", "orders", "--limit", "0").code == 2


def test_discover_lists_streams(orders: Folder) -> None:
    orders.type("run", "orders")
    (stream,) = orders.type("discover", "drops", "--json").json
    assert stream["name"] == "orders.csv"
    found = {each["name"]: each for each in orders.type("discover", "warehouse", "--json").json}
    assert [column["name"] for column in found["raw.orders"]["columns"]] == ["id", "amount", "at"]
    assert found["raw.orders"]["rows"] == 2


def test_discover_shows_the_columns_of_one_stream(orders: Folder) -> None:
    lines = orders.type("discover", "drops", "orders.csv").out.splitlines()
    assert [line.split()[0] for line in lines] == ["orders.csv", "COLUMN", "id", "amount", "at"]
    (stream,) = orders.type("discover", "drops", "orders.csv", "--json").json
    assert stream["columns"][0] == {"name": "id", "type": "int64"}


@pytest.mark.parametrize(
    ("words", "said"),
    [(("drps",), "Did you mean `drops`?"), (("drops", "ordres.csv"), "Did you mean `orders.csv`?")],
)
def test_discover_of_unknown_names(orders: Folder, words: tuple[str, ...], said: str) -> None:
    answer = orders.type("discover", *words)
    assert answer.code == 2
    assert said in answer.err


def test_dead_letters_are_shown_and_replayed(orders: Folder) -> None:
    assert orders.type("dead-letters", "orders").out == "No open dead letters of `orders`.\n"
    orders.type("run", "orders")
    answer = orders.type("dead-letters", "orders")
    assert re.search(r'amount_there .*"id": 2', answer.out)
    assert answer.err == "1 of 1 shown. After a fix: `pipelines dead-letters orders --replay`.\n"
    (letter,) = orders.type("dead-letters", "orders", "--json").json
    assert (letter["rule"], letter["record"]["id"], letter["partition"]) == ("amount_there", 2, None)
    assert letter["reason"]
    assert letter["run"].startswith("pt-")
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(
        path.read_text().replace("amount_there, type: required, fields: [amount]", "r, type: required, fields: [id]")
    )
    replayed = orders.type("dead-letters", "orders", "--replay", "--json")
    assert (replayed.code, replayed.json["rows"]["loaded"]) == (0, {"warehouse": 1})
    assert orders.query("select id from raw.orders order by id") == [(1,), (2,), (3,)]
    assert orders.type("dead-letters", "orders", "--json").json == []


def test_dead_letters_limit(orders: Folder) -> None:
    orders.write("in/orders.csv", "id,amount,at\n" + "".join(f"{n},,2026-01-01 00:00:00\n" for n in range(1, 31)))
    orders.type("run", "orders")
    assert len(orders.type("dead-letters", "orders", "--json").json) == 30
    assert len(orders.type("dead-letters", "orders", "--json", "--limit", "7").json) == 7
    assert orders.type("dead-letters", "orders").err.startswith("20 of 30 shown.")
    assert orders.type("dead-letters", "orders", "--replay", "--limit", "7").code == 2


def test_status_by_pipeline_token_and_page(orders: Folder) -> None:
    assert orders.type("status").out == "No runs.\n"
    token = orders.type("run", "orders", "--json").json["token"]
    for _ in range(20):
        orders.type("run", "orders")
    page = orders.type("status", "orders", "--json").json
    assert len(page) == 20
    assert page == sorted(page, key=lambda run: run["token"], reverse=True)
    assert orders.type("status", "orders").err == "Older runs: `pipelines status orders --page 2`.\n"
    (oldest,) = orders.type("status", "orders", "--page", "2", "--json").json
    assert oldest["token"] == token
    assert (oldest["status"], oldest["rows"]["loaded"], oldest["pipeline"]) == ("success", {"warehouse": 2}, "orders")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", oldest["started_at"])
    assert [stage["stage"] for stage in oldest["stages"]] == ["begin", "landing", "validated", "load", "end"]
    (one,) = orders.type("status", token, "--json").json
    assert one == oldest
    assert [line.split()[1] for line in orders.type("status", token).out.splitlines()[2:]] == [
        "begin", "landing", "validated", "load", "end"]  # fmt: skip


def test_status_of_unknown_names_is_2(orders: Folder) -> None:
    assert orders.type("status", "pt-00000000000000000000000000").code == 2
    assert "Did you mean `orders`?" in orders.type("status", "order").err


def test_status_shows_the_last_error(orders: Folder) -> None:
    orders.write("in/orders.csv", "id,amount\n1,2\n")
    orders.type("run", "orders")
    (run,) = orders.type("status", "orders", "--json").json
    assert run["status"] == "failed"
    assert "'at' is not a column" in run["error"]


def test_schema_is_the_json_schema(folder: Folder) -> None:
    answer = folder.type("schema")
    assert answer.code == 0
    assert answer.json == json.loads(json.dumps(json_schema()))
