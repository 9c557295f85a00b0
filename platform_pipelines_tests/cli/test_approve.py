from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

KEYS = {
    "token", "partition", "batch", "score", "min_score", "asked_at", "deadline", "on_deadline", "approved_by",
}  # fmt: skip


@pytest.fixture
def held(orders: Folder) -> str:
    """The token of a run that holds the batch of three rows, of which one breaks a rule."""
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("destinations:", "  approval: {min_score: 0.9}\ndestinations:"))
    answer = orders.type("run", "orders", "--json")
    assert (answer.code, answer.json["status"]) == (3, "gate_closed")
    return str(answer.json["token"])


def test_what_waits_is_listed_and_approved(orders: Folder, held: str) -> None:
    (body,) = orders.type("approve", "orders", "--json").json
    assert set(body) == KEYS
    assert (body["token"], body["min_score"], body["approved_by"]) == (held, 0.9, None)
    answer = orders.type("approve", "orders", held, "--by", "ada", "--json")
    assert (answer.code, answer.json[0]["batch"], answer.json[0]["approved_by"]) == (0, "1/1", "ada")
    assert orders.type("approve", "orders", "--json").json[0]["approved_by"] == "ada"
    assert orders.type("run", "orders").code == 0
    assert orders.query("select id from raw.orders order by id") == [(1,), (3,)]
    assert orders.type("approve", "orders").out == "No batch of `orders` waits for approval.\n"


def test_a_wrong_token_is_refused(orders: Folder, held: str) -> None:
    answer = orders.type("approve", "orders", "pt-wrong")
    assert answer.code == 2
    assert f"Waiting are batches of the runs {held}." in answer.err


def test_check_names_the_line_of_a_check_that_cannot_be_imported(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    rule = "    - {id: own, type: pandera, check: no_such_module:is_even, field: id}\n"
    path.write_text(path.read_text().replace("destinations:", f"{rule}destinations:"))
    answer = orders.type("check")
    assert answer.code == 2
    assert "orders.yaml:12: `check` of rule `own` names 'no_such_module:is_even'" in answer.err


def test_too_many_dead_letters_are_told(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("destinations:", "  alert: {max_dead_letters: 0}\ndestinations:"))
    answer = orders.type("run", "orders", "--json")
    assert answer.json["status"] == "success"
    assert "Alert: 1 dead letters in the last 3600 s; `quality.alert.max_dead_letters` allows 0." in answer.err
