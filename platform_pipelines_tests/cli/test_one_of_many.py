"""A command about one pipeline: mistakes in what it does not need neither stop it nor are lost on `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines.cli.project import load_project

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

OTHER = """
name: other
source: {connector: drops, stream: other.csv, mode: full_refresh}
destinations: [{connector: warehouse, table: raw.other, mode: replace}]
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("defs/other.yaml", "name: other\nsource: {connectr: x}\n"),
        ("defs/other.yaml", "name: [orders\n"),
        ("defs/connectors.yaml", "broken: {type: nothing}\n"),
        ("defs/connectors.yaml", "broken: {type: files, rot: x}\n"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan", "preview", "state", "dead-letters"])
def test_mistakes_elsewhere_do_not_stop_it(orders: Folder, command: str, name: str, text: str) -> None:
    path = orders.root / name
    orders.write(name, (path.read_text() if path.exists() else "") + text)
    assert orders.type(command, "orders").code == 0
    checked = orders.type("check", "--json")
    assert checked.code == 2
    assert {error["file"] for error in checked.json["errors"]} == {name}


@pytest.mark.parametrize(
    ("connectors", "expected"),
    [
        ("drops: {type: nothing}", "defs/connectors.yaml:1: Connector `drops`: Unknown connector type `nothing`."),
        ("drops: {type: files, rot: in}", "defs/connectors.yaml:1: Unknown key `rot` of connector `drops`"),
        ("drops: 5", "defs/connectors.yaml:1: Connector `drops` must be a mapping"),
    ],
)
def test_mistakes_in_its_own_connectors_stop_it(orders: Folder, connectors: str, expected: str) -> None:
    orders.write("defs/connectors.yaml", f"{connectors}\nwarehouse: {{type: duckdb, path: warehouse.duckdb}}\n")
    answer = orders.type("run", "orders")
    assert answer.code == 2
    assert expected in answer.err


@pytest.mark.parametrize("name", ["orders", "copy"])
def test_two_pipelines_of_one_name_stop_it(orders: Folder, name: str) -> None:
    orders.write(f"defs/{name}.yaml", OTHER.replace("other", "orders"))
    answer = orders.type("run", "orders")
    assert answer.code == 2
    assert "Pipeline `orders` is declared twice" in answer.err


def test_nothing_else_is_read(orders: Folder) -> None:
    orders.write("defs/other.yaml", OTHER)
    orders.write("defs/after.yaml", OTHER.replace("name: other", "name: after\ntriggers: {after: [orders]}"))
    assert set(load_project("orders").catalog.pipelines) == {"orders"}
    assert set(load_project("after").catalog.pipelines) == {"orders", "after"}
    assert set(load_project().catalog.pipelines) == {"orders", "other", "after"}


def test_check_of_one_parses_its_sql_and_no_other(orders: Folder) -> None:
    orders.write("defs/other.yaml", f"{OTHER}transforms: [{{sql: selec 1}}]\n")
    orders.write("in/other.csv", "id\n1\n")
    assert orders.type("check", "orders").code == 0
    assert orders.type("check", "other").code == 2
    assert orders.type("check").code == 2
