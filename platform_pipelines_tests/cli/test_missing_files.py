"""Files of the landing log that somebody removed: told apart from retention, with a way out that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines_tests.cli.commands import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from platform_pipelines_tests.cli.commands import Folder

_SECOND = "  - {connector: warehouse, name: second, table: raw.second, mode: append}\n"


def landed(orders: Folder) -> Path:
    """The one file that was landed."""
    files = orders.root.glob(".pipelines/store/orders/feeds/all/e000001/*/part-*.parquet")
    (found,) = (path for path in files if not path.parent.name.endswith(".valid"))
    return found


def second_destination(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + _SECOND)


def test_a_file_that_a_person_removed_was_not_removed_by_retention(orders: Folder) -> None:
    orders.type("run", "orders")
    landed(orders).unlink()
    answer = orders.type("state", "orders", "--explain", "9")
    assert "retention (" not in answer.out.replace("not by retention (", "")
    assert answer.out.splitlines()[1] == (
        "Files of 1 batch are missing, and not by retention (1/1): whether they held it cannot be known any more. "
        "Restore them from a backup, or read the source anew with `pipelines run orders --full-refresh`."
    )
    body = orders.type("state", "orders", "--explain", "9", "--json").json
    assert (body["retired"], body["notes"][-1]) == ([], "Files of batch 1/1 are missing.")


def test_a_removed_folder_is_missing_too_and_a_full_refresh_mends_it(orders: Folder) -> None:
    orders.type("run", "orders")
    for folder in orders.root.glob(".pipelines/store/orders/feeds/all/e000001/000001-*"):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    second_destination(orders)
    answer = orders.type("run", "orders")
    assert answer.code == 1
    assert "is missing. Restore it from a backup, or read the source anew with" in answer.err
    assert "`pipelines run orders --full-refresh`" in answer.err
    assert "Nothing is lost" not in answer.err
    assert answer.err.splitlines()[-1].startswith("Stages of this run: `pipelines status pt-")
    assert orders.type("run", "orders", "--full-refresh").code == 0
    assert orders.query("select count(*) from raw.second") == orders.query("select count(*) from raw.orders") == [(2,)]


def test_what_retention_removed_is_said_whatever_the_setting_is_now(
    orders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "0h")
    orders.type("run", "orders")
    with (orders.root / "in/orders.csv").open("a") as file:
        file.write("4,1,2026-01-04 00:00:00\n")
    orders.type("run", "orders")
    monkeypatch.delenv("PIPELINES_RETENTION")
    assert "were removed by retention (1/1)" in orders.type("state", "orders", "--explain", "1").out
    second_destination(orders)
    answer = orders.type("run", "orders")
    assert "was removed by retention. Read the source anew with `pipelines run orders --full-refresh`." in answer.err


def test_a_held_batch_whose_file_is_gone_can_be_neither_let_through_nor_dropped(orders: Folder) -> None:
    """Nor is that said of a row behind it, whose own file is there."""
    pipeline = orders.root / "defs/sales/orders.yaml"
    pipeline.write_text(pipeline.read_text().replace("destinations:", "  gate: {max_rejected: 0}\ndestinations:"))
    orders.type("run", "orders")
    gone = landed(orders)
    orders.write("in/orders.csv", ROWS + "4,1.50,2026-01-05 00:00:00\n")
    orders.type("run", "orders")
    gone.unlink()
    missing = (
        f"{gone} is missing. Restore it from a backup, or read the source anew with `pipelines run orders --full-r"
    )
    for asked in (["state", "orders"], ["state", "orders", "--explain", "4"]):
        answer = orders.type(*asked)
        said = answer.out + answer.err
        assert "Batch 1/1 can be neither let through nor dropped. Batch file " in said
        assert missing in said
        assert "--release" not in said
        assert "--discard" not in said
    held = orders.type("state", "orders", "--json").json["held"]
    assert missing in held
    for decision in ("--release", "--discard"):
        assert missing in orders.type("run", "orders", decision).err
    pipeline.write_text(pipeline.read_text().replace("max_rejected: 0", "max_rejected: 9"))
    assert orders.type("run", "orders", "--full-refresh", "--json").json["status"] == "success"
