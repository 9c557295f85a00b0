"""A replay brings rows back long after they were read: it takes back no newer version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import RunRequest, dead_letters, replay_dead_letters, run
from platform_pipelines_tests.integration.replays.contacts import row

if TYPE_CHECKING:
    from platform_pipelines_tests.integration.replays.contacts import Site


def test_what_an_api_refused_does_not_take_back_what_it_took_since(site: Site) -> None:
    site.refuse("old")
    assert site.run(row("old", 1), row("other", 1, 2)).rejected == 1
    assert site.run(row("new", 2), row("other", 1, 2)).status == "success"
    site.refuse()
    report = site.replay()
    assert (report.destinations["crm"].rows, report.deduplicated, report.rejected) == (0, 1, 0)
    assert site.sent() == site.loaded() == {"1": "new", "2": "other"}
    assert dead_letters(site.project(), "contacts") == []
    assert site.fate("crm")[0] == "loaded"
    assert "batch 1/2" in site.fate("crm")[1]


def test_versions_that_were_all_refused_come_in_their_order(site: Site) -> None:
    site.refuse("old", "new")
    site.run(row("old", 1))
    site.run(row("new", 2))
    site.refuse("new")
    report = site.replay()
    assert (report.destinations["crm"].rows, report.deduplicated, report.rejected) == (1, 0, 1)
    assert site.sent() == {"1": "old"}, "the newer one is refused still, and no reason to do without this one"
    site.refuse()
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new"}


def test_what_a_rule_rejected_does_not_take_back_what_came_since(site: Site) -> None:
    site.values = "[new, other]"
    site.run(row("old", 1), row("other", 1, 2))
    site.run(row("new", 2), row("other", 1, 2))
    site.values = "[old, new, other]"
    report = site.replay()
    assert ({each.rows for each in report.destinations.values()}, report.deduplicated) == ({0}, 1)
    assert site.sent() == site.loaded() == {"1": "new", "2": "other"}


def test_a_newer_version_that_a_rule_had_rejected_comes_in(site: Site) -> None:
    site.values = "[old]"
    site.run(row("old", 1))
    site.run(row("new", 2))
    site.values = "[old, new]"
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new"}


@pytest.mark.parametrize("by", ["rule", "api"])
def test_of_versions_of_one_instant_the_one_read_later_stays(site: Site, by: str) -> None:
    """Days are cursors, too; letters of several batches come back at once."""
    site.values = "[new, x]" if by == "rule" else ""
    site.refuse("old")
    x, day = row("x", 1, 3), 1
    site.run(row("old", day), row("old", day, 2), x)
    site.run(row("new", day), row("old", day, 2), x)
    site.run(row("new", day), row("new", day, 2), row("old", day, 4), x)
    site.refuse()
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new", "2": "new", "3": "x", "4": "old"}
    assert site.fate("warehouse")[0] == "loaded"


@pytest.mark.parametrize("by", ["rule", "api"])
def test_without_cursors_what_was_read_later_stays(site: Site, by: str) -> None:
    site.source = ["cursor: {field: at, on_missing: include}"]
    site.values = "[new, x]" if by == "rule" else ""
    site.refuse("old", "older")
    none: Any = None
    x = row("x", 1, 3)
    site.run(row("older", none), row("older", none, 4), x)
    site.run(row("old", none), row("old", none, 4), x)
    site.run(row("new", none), row("old", none, 4), x)
    site.run(row("new", none), row("old", none, 2), row("old", none, 4), x)
    assert site.sent() == {"1": "new", "3": "x"}
    site.refuse()
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new", "2": "old", "3": "x", "4": "old"}


def test_where_the_cursor_is_dropped_what_was_read_later_stays(site: Site) -> None:
    site.transforms = "transforms: [{sql: 'select id, v from input'}]"
    site.values = "[new, x]"
    site.run(row("old", 1), row("x", 1, 2))
    site.run(row("new", 2), row("x", 1, 2))
    site.run(row("new", 2), row("old", 3, 3))
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new", "2": "x", "3": "old"}


def test_a_key_that_became_text_is_still_the_same_key(site: Site) -> None:
    site.refuse("old")
    site.run(row("old", 1), row("old", 1, 2))
    site.transforms = "transforms: [{sql: 'select * replace (cast(id as varchar) as id) from input'}]"
    assert site.run(row("new", 2), row("old", 1, 2)).destinations["crm"].status == "success"
    site.refuse()
    replay_dead_letters(site.project(), "contacts")
    assert site.sent() == {"1": "new", "2": "old"}


def test_an_api_gets_no_older_version_from_a_file_that_comes_late(site: Site) -> None:
    site.run(row("new", 5), row("other", 5, 2))
    site.put(row("newest", 9, 2), row("old", 3), name="late")
    site.source = ["cursor: {field: at, lag: 6}"]
    report = run(site.project(), RunRequest("contacts"))
    assert report.status == "success", report.error
    assert site.sent() == site.loaded() == {"1": "new", "2": "newest"}
