from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from platform_pipelines_tests.cli.commands import Folder


def test_list_shows_what_is_declared(orders: Folder) -> None:
    orders.write(
        "defs/late.yaml",
        "name: late\nsource: {connector: drops, stream: late.csv}\ntriggers: {after: [orders]}\n"
        "partitions: {by: day, field: at, start: 2026-01-01}\n"
        "destinations: [{connector: warehouse, mode: append}]\n",
    )
    answer = orders.type("list")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["NAME", "DOMAIN", "SOURCE", "MODE", "DESTINATIONS", "PARTITIONS", "SCHEDULE"]
    assert lines[1].split() == ["late", "default", "drops:", "late.csv", "full_refresh", "warehouse", "(append)",
                                "day", "of", "at", "after", "orders"]  # fmt: skip
    assert lines[2].split()[:5] == ["orders", "sales", "drops:", "orders.csv", "incremental"]


def test_list_json_is_one_array(orders: Folder) -> None:
    (found,) = orders.type("list", "--json").json
    assert found == {
        "name": "orders",
        "domain": "sales",
        "description": "",
        "source": {"connector": "drops", "stream": "orders.csv"},
        "mode": "incremental",
        "destinations": [{"name": "warehouse", "connector": "warehouse", "table": "raw.orders", "mode": "merge"}],
        "partitions": None,
        "schedule": None,
        "after": [],
        "file": "defs/sales/orders.yaml",
    }


def test_an_empty_folder_is_explained(folder: Folder) -> None:
    folder.write("defs/connectors.yaml", "")
    answer = folder.type("list")
    assert answer.code == 0
    assert answer.out.startswith("No pipelines in defs.")
    assert "PIPELINES_DEFS" in answer.out
    assert "`pipelines new NAME`" in answer.out
    assert folder.type("list", "--json").json == []


def test_a_missing_folder_is_explained(folder: Folder) -> None:
    answer = folder.type("list")
    assert answer.code == 2
    assert answer.err.startswith("The folder of pipelines defs does not exist.")
    assert "`pipelines new NAME`" in answer.err
    assert answer.out == ""


def test_a_missing_folder_with_json_is_one_object(folder: Folder) -> None:
    answer = folder.type("list", "--json")
    assert answer.code == 2
    assert answer.json["status"] == "failed"
    assert answer.json["error"].startswith("The folder of pipelines defs does not exist.")


def test_a_file_in_place_of_the_folder_is_said(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_DEFS", str(folder.write("file", "")))
    assert "is not a folder" in folder.type("list").err
