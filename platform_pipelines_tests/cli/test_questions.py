from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines_tests.cli.terminal import on_terminal

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def test_reset_asks_a_person_and_takes_no_for_an_answer(orders: Folder) -> None:
    orders.type("run", "orders")
    code, shown = on_terminal(orders, "state", "orders", "--reset", answer="n\n")
    assert code == 1
    assert "Forget the watermark of the whole pipeline `orders`" in shown
    assert "Nothing was done." in shown
    assert orders.type("run", "orders", "--json").json["status"] == "nothing_new"


def test_reset_happens_on_yes(orders: Folder) -> None:
    orders.type("run", "orders")
    code, shown = on_terminal(orders, "state", "orders", "--reset", answer="y\n")
    assert (code, "Reset 1 feed: all." in shown) == (0, True)
    assert orders.type("run", "orders", "--json").json["rows"]["read"] == 3


def test_ctrl_c_at_a_question_does_nothing(orders: Folder) -> None:
    orders.type("run", "orders")
    code, shown = on_terminal(orders, "state", "orders", "--reset", answer="\x04")
    assert (code, "Interrupted" in shown) == (130, True)
    assert orders.type("run", "orders", "--json").json["status"] == "nothing_new"


def test_discard_asks_a_person_unless_told_not_to(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("destinations:", "  gate: {max_rejected: 0}\ndestinations:"))
    orders.type("run", "orders")
    code, shown = on_terminal(orders, "run", "orders", "--discard", answer="n\n")
    assert (code, "Drop the held batch of `orders` to the dead letters?" in shown) == (1, True)
    assert orders.type("state", "orders", "--json").json["held"]
    code, shown = on_terminal(orders, "run", "orders", "--discard", "--yes")
    assert (code, "Drop the held batch" in shown) == (0, False)


def test_destructive_changes_ask_a_person(orders: Folder) -> None:
    code, shown = on_terminal(orders, "run", "orders", "--allow-destructive", answer="n\n")
    assert (code, "drop or narrow columns" in shown) == (1, True)
    assert orders.type("run", "orders", "--allow-destructive").code == 0, "a script has said so by the option"
