"""An API keeps no offsets and compares no versions: what a replay sends it, and counts of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.engine import RunRequest, refusing, replay_dead_letters, run
from platform_pipelines.store import FeedLog
from platform_pipelines_tests.api_server import Answer
from platform_pipelines_tests.integration.replays.contacts import row

if TYPE_CHECKING:
    import pytest

    from platform_pipelines_tests.integration.replays.contacts import Site


def test_a_version_that_the_api_refused_overtakes_none_there(site: Site) -> None:
    site.values = "[new, x]"
    site.refuse("new")
    site.run(row("old", 1), row("x", 1, 2))
    site.run(row("new", 2), row("x", 1, 2))
    site.values = ""
    report = site.replay()
    assert report.rejected == 1, "the newer one is refused again"
    assert (site.sent(), site.loaded()) == ({"1": "old", "2": "x"}, {"1": "new", "2": "x"})
    status, detail = site.fate("crm")
    assert (status, "It holds the version of batch 1/3" in detail) == ("refused", True), detail


def test_what_is_sent_again_stands_in_the_record_of_the_run(site: Site) -> None:
    site.refuse("old")
    site.run(row("old", 1), row("other", 1, 2))
    site.refuse()
    entries = site.project().store.runs.entries("contacts", site.replay().token)
    loads = [
        (each.body["destination"], each.body["rows"], each.body["batches"]) for each in entries if each.stage == "load"
    ]
    assert sorted(loads)[:1] + sorted(loads)[-1:] == [("crm", 0, 0), ("warehouse", 0, 0)]
    assert ("crm", 1, 1) in loads


def test_what_is_left_out_is_counted_wherever_the_api_stands(site: Site) -> None:
    site.api_first = False
    site.refuse("old")
    site.run(row("old", 1))
    site.run(row("new", 2))
    site.refuse()
    assert site.replay().deduplicated == 1


def test_replays_of_replays_stay_as_quick_as_they_were(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreadable record and a rejected one, which come back each night and fail each night."""
    site.values = "[x]"
    site.put(row("x", 1), row("bad", 1, 2))
    with (site.root / "in" / "rows.jsonl").open("a") as file:
        file.write('{"id": 3, broken\n')
    run(site.project(), RunRequest("contacts"))
    read: list[int] = []
    manifest = FeedLog.manifest
    monkeypatch.setattr(FeedLog, "manifest", lambda log, *place: read.append(1) or manifest(log, *place))
    counts = []
    for _ in range(8):
        site.replay()
        counts.append(len(read))
        read.clear()
    assert counts[-1] <= counts[0] * len(counts), counts


def test_appended_rows_all_come_back(site: Site) -> None:
    site.mode = "mode: append"
    site.refuse("old")
    site.run(row("old", 1))
    site.run(row("new", 2))
    site.refuse()
    report = site.replay()
    assert (report.destinations["crm"].rows, site.sink.applied) == (1, {"1": 2})


def test_a_replay_that_broke_off_goes_on_behind_a_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API has answered is not asked again, and what came meanwhile is not taken back."""
    site.refuse(*(f"old{n}" for n in range(4)))
    site.run(*(row(f"old{n}", 1, n) for n in range(4)))
    site.refuse()
    with monkeypatch.context() as patch:
        answered = iter(range(100))
        plain = site.sink.api._routes["/contacts/*"]

        def answer(asked: Any) -> Answer:
            return plain(asked) if next(answered) < 2 else Answer(status=503)

        site.sink.api.serve("/contacts/*", answer)
        patch.setattr(refusing, "keep", None)  # never reached
        assert replay_dead_letters(site.project(), "contacts").status != "success"
    site.sink.api.serve("/contacts/*", plain)
    came = set(site.sink.stored)
    assert len(came) == 2
    left = next(n for n in range(4) if str(n) not in came)
    rows = [row(f"old{n}", 1, n) for n in range(4) if n != left]
    assert site.run(*rows, row("new", 2, left)).status == "success"
    site.replay()
    assert site.sent() == site.loaded() == {str(n): "new" if n == left else f"old{n}" for n in range(4)}
    assert dict(site.sink.applied) == {str(n): 1 for n in range(4)}, "each was applied once"
    answered_keys = [key for key in site.sink.keys if key in site.sink._answered]
    repeated = {key for key in answered_keys if answered_keys.count(key) > 1 and site.sink._answered[key].status < 400}
    assert not repeated, "the journal of the replay outlived the run"
    journals = list((site.root / ".pipelines").rglob("*.jsonl"))
    site.run(*rows, row("new", 2, left), row("last", 3, 9))
    assert len([path for path in (site.root / ".pipelines").rglob("*.jsonl") if path in journals]) <= 1
