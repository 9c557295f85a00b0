from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def test_a_stranger_gets_from_nothing_to_rows(folder: Folder) -> None:
    answer = folder.type("new", "planets")
    assert answer.code == 0
    assert answer.out == "defs/planets.yaml\n"
    assert "pipelines run planets" in answer.err
    assert folder.type("check").code == 0
    folder.write("data/in/planets.csv", "name,moons\nMars,2\n")
    assert folder.type("run", "planets", "--json").json["rows"]["loaded"] == {"warehouse": 1}


def test_options_fill_the_blanks(orders: Folder) -> None:
    blanks = ("--connector", "warehouse", "--stream", "raw.orders", "--destination", "drops", "--domain", "sales")
    answer = orders.type("new", "copies", *blanks)
    assert (answer.code, answer.out) == (0, "defs/sales/copies.yaml\n")
    entry = next(each for each in orders.type("list", "--json").json if each["name"] == "copies")
    assert entry["domain"] == "sales"
    assert entry["source"] == {"connector": "warehouse", "stream": "raw.orders"}
    assert entry["destinations"][0]["connector"] == "drops"


def test_nothing_is_overwritten(orders: Folder) -> None:
    text = (orders.root / "defs/sales/orders.yaml").read_text()
    answer = orders.type("new", "orders")
    assert answer.code == 2
    assert "exists already in defs/sales/orders.yaml" in answer.err
    assert (orders.root / "defs/sales/orders.yaml").read_text() == text
    assert not (orders.root / "defs/orders.yaml").exists()
    connectors = (orders.root / "defs/connectors.yaml").read_text()
    assert orders.type("new", "more").code == 0
    assert (orders.root / "defs/connectors.yaml").read_text() == connectors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("my-orders",), "Write `my_orders`."),
        (("class",), "reserved"),
        (("more", "--connector", "drps"), "Did you mean `drops`?"),
        (("more", "--destination", "warehose"), "Did you mean `warehouse`?"),
        (("more", "--domain", "a-b"), "`a_b`"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(orders: Folder, words: tuple[str, ...], said: str) -> None:
    before = sorted(orders.root.rglob("*"))
    answer = orders.type("new", *words)
    assert answer.code == 2
    assert said in answer.err
    assert sorted(orders.root.rglob("*")) == before


def test_a_domain_with_connections_above_gets_none_of_its_own(orders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_DEFS", "defs/travel")
    answer = orders.type("new", "flights")
    assert (answer.code, answer.out) == (0, "defs/travel/flights.yaml\n")
    assert not (orders.root / "defs/travel/connectors.yaml").exists()
    assert orders.type("check", "flights").code == 0
    answer = orders.type("discover", "wharehouse")
    assert "Unknown connector `wharehouse` in defs/connectors.yaml. Allowed: drops, warehouse. Did you" in answer.err


def test_a_folder_that_cannot_be_written_is_said(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("taken", "")
    monkeypatch.setenv("PIPELINES_DEFS", "taken/defs")
    answer = folder.type("new", "planets")
    assert answer.code == 2
    assert "Cannot write taken/defs: Not a directory." in answer.err
