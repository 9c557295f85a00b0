"""Records of runs that cannot be read: named, and nothing invented in place of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines_tests.cli.commands import Folder


def records(orders: Folder) -> list[Path]:
    """The files of the one run's record, oldest first."""
    return sorted(orders.root.glob(".pipelines/store/_runs/orders/*/*.json"))


def test_a_run_of_which_nothing_can_be_read_has_the_time_of_its_record(orders: Folder) -> None:
    orders.type("run", "orders")
    (before,) = orders.type("status", "orders", "--json").json
    for path in records(orders):
        path.write_bytes(b'{"sta')
    (after,) = orders.type("status", "orders", "--json").json
    assert after.keys() == before.keys()
    assert (after["started_at"], after["ended_at"], after["seconds"]) == (before["started_at"], None, None)
    assert f"{records(orders)[-1]} cannot be read" in after["error"]
    shown = orders.type("status", "orders")
    assert "1970" not in shown.out
    assert shown.err == (
        f"The record of run {before['token']} is damaged: {records(orders)[-1]}, and 4 more cannot be read, and is "
        "left out.\n"
    )


def test_a_run_without_any_record_has_no_time(orders: Folder) -> None:
    orders.type("run", "orders")
    for path in records(orders):
        path.unlink()
    (run,) = orders.type("status", "orders", "--json").json
    assert (run["started_at"], run["seconds"], run["status"]) == (None, None, "failed")
    assert "1970" not in orders.type("status", "orders").out


@pytest.mark.parametrize("content", [b"", b"[1]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_an_end_that_cannot_be_read_is_told(orders: Folder, content: bytes) -> None:
    orders.type("run", "orders")
    end = records(orders)[-1]
    end.write_bytes(content)
    (run,) = orders.type("status", "orders", "--json").json
    assert run["status"] == "failed"
    assert run["error"].startswith(
        f"The record of this run is damaged, so that it does not say how the run ended: {end} "
    )
    assert [stage["stage"] for stage in run["stages"]] == ["begin", "landing", "validated", "load"]


def test_how_a_run_ended_is_known_where_other_records_are_damaged(orders: Folder) -> None:
    orders.type("run", "orders")
    landing = records(orders)[1]
    landing.write_bytes(b"{")
    (run,) = orders.type("status", "orders", "--json").json
    assert (run["status"], run["error"]) == ("success", None)
    assert str(landing) in orders.type("status", "orders").err


def test_a_file_of_another_name_is_named_too(orders: Folder) -> None:
    token = orders.type("run", "orders", "--json").json["token"]
    other = records(orders)[0].with_name("copy of begin.json")
    other.write_bytes(b"{}")
    assert str(other) in orders.type("status", token).err
