"""A replay brings back no row whose key was deleted, or found gone, since it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import RunRequest, run
from platform_pipelines_tests.integration.replays.contacts import DIFFERENCE, HARD, row

if TYPE_CHECKING:
    from platform_pipelines_tests.integration.replays.contacts import Site


@pytest.mark.parametrize("by", ["rule", "api"])
def test_a_row_deleted_since_stays_deleted(site: Site, by: str) -> None:
    site.source.append(HARD)
    site.values = "[other]" if by == "rule" else ""
    site.refuse("old")
    site.run(row("old", 1), row("other", 1, 2))
    site.run(row("other", 2, gone="now"), row("other", 1, 2))
    assert "1" not in site.sent() | (site.loaded() if by == "rule" else {})
    site.refuse()
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"2": "other"}
    assert site.fate("crm")[0] == site.fate("warehouse")[0] == "deleted"


@pytest.mark.parametrize("by", ["rule", "api"])
def test_a_key_found_gone_since_stays_gone(site: Site, by: str) -> None:
    site.source.append(DIFFERENCE)
    site.values = "[first, other, late]" if by == "rule" else ""
    site.refuse("old")
    site.run(row("first", 1), row("other", 1, 2))
    site.run(row("old", 2), row("other", 1, 2))
    report = site.run(row("other", 1, 2))
    assert site.sent() == site.loaded() == {"2": "other"}, report
    site.run(row("other", 1, 2), row("old", 3, 3))
    site.refuse()
    site.values = ""
    site.replay()
    expected = {"2": "other", "3": "old"}
    assert site.sent() == site.loaded() == expected, "what was read after the deletes comes back"
    status, detail = site.fate("crm")
    assert (status, site.fate("warehouse")[0]) == ("deleted", "deleted")
    if by == "rule":
        assert "left out: batch 1/3 had removed its key" in detail
    report = site.run(row("other", 1, 2), row("old", 3, 3))
    assert (report.status, site.sent(), site.loaded()) == ("nothing_new", expected, expected)


def test_keys_found_gone_are_marked_at_an_api_by_key_alone(site: Site) -> None:
    site.source.append(DIFFERENCE.replace("hard", "soft"))
    site.run(row("first", 1), row("other", 1, 2))
    assert site.run(row("other", 1, 2)).status == "success"
    *_, asked = site.sink.api.asked
    assert (asked.method, asked.path, asked.json().keys()) == (
        "PATCH", "/contacts/1", {"id", "_pipelines_deleted_at"},
    )  # fmt: skip


@pytest.mark.parametrize("by", ["nothing", "rule", "api"])
def test_what_is_there_again_behind_its_deletes_comes_in_with_a_lower_cursor(site: Site, by: str) -> None:
    site.source = ["cursor: {field: at, lag: 6}", DIFFERENCE]
    site.values = "[first, other]" if by == "rule" else ""
    site.refuse("back" if by == "api" else "")
    site.run(row("first", 7), row("other", 8, 2))
    site.run(row("other", 8, 2))
    site.run(row("back", 5), row("other", 8, 2))
    site.refuse()
    site.values = ""
    if by != "nothing":
        site.replay()
    assert site.sent() == site.loaded() == {"1": "back", "2": "other"}


def test_replayed_keys_that_are_gone_are_not_known_behind_a_snapshot(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an age for batches the known keys are written down at each load; share of the missing is told from them."""
    monkeypatch.setenv("PIPELINES_RETENTION", "0d")
    site.source.append(DIFFERENCE.replace("max_share: 1", "max_share: 0.6"))
    site.values = "[first, other]"
    stay = [row("other", 1, key) for key in range(10)]
    site.run(*(row("first", 1, key) for key in range(10, 20)), *stay)
    site.run(*(row("old", 2, key) for key in range(10, 20)), *stay)
    site.run(*stay)
    site.run(row("other", 3, 0), *stay[1:])
    site.values = ""
    site.replay()
    site.source[-1] = DIFFERENCE.replace("max_share: 1", "max_share: 0.05")
    for at in (4, 5):
        report = site.run(row("other", at, 0), *stay[1:])
        assert (report.status, report.read) == ("success", 1), report.error
    assert site.sent() == site.loaded() == {str(key): "other" for key in range(10)}


def test_a_row_that_moved_to_another_partition_is_known_there(site: Site) -> None:
    """By day of the cursor: each update moves the row."""
    site.source = ["cursor: {field: at, timezone: UTC}", HARD]
    site.partitions = "partitions: {by: day, field: at, start: 2024-01-01, timezone: UTC}"
    site.values = "[new]"

    def go(*rows: dict[str, Any]) -> None:
        site.put(*rows)
        for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
            report = run(site.project(), RunRequest("contacts", partitions=(day,)))
            assert report.error is None, report.error

    first, second, third = (f"2024-01-0{day}T02:00:00Z" for day in (1, 2, 3))
    go(row("old", first), row("old", first, 5), row("old", first, 6), row("new", first, 7))
    go(row("new", second), row("new", second, 5), row("old", first, 6), row("new", first, 7))
    go(row("new", third, gone="now"), row("new", second, 5), row("old", first, 6), row("new", first, 7))
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"5": "new", "6": "old", "7": "new"}
