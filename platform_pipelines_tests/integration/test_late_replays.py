"""A replay brings rows back long after they were read: it takes back no newer version, and no key that is gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from platform_pipelines.engine import (
    RunRequest,
    dead_letters,
    explain,
    open_project,
    refusing,
    replay_dead_letters,
    run,
)
from platform_pipelines.store import FeedLog
from platform_pipelines_tests.api_server import Answer
from platform_pipelines_tests.api_sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.engine import Project, RunReport

CONNECTORS = """
drops: {type: files, root: in, format: jsonl}
crm:
  type: http
  base_url: ${env://API_URL}
  retries: {max: 1, delay: 0.01, max_delay: 0.02}
  tables:
    one: {path: "/contacts"}
    upsert: {path: "/contacts/{id}", body: {id: "{id}", v: "{v}"}}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
CURSOR = "cursor: {field: at}"
HARD = "deletes: {field: gone, action: hard}"
DIFFERENCE = "deletes: {detect: key_difference, action: hard, max_share: 1}"
RULES = "quality: {rules: [{id: fit, type: accepted, field: v, values: VALUES, severity: error}]}"


class Site:
    """A pipeline from a file into an API and into DuckDB, both by key."""

    def __init__(self, root: Path, sink: Sink) -> None:
        self.root, self.sink = root, sink
        self.mode = "mode: merge, key: [id]"
        self.source, self.values, self.transforms, self.partitions = [CURSOR], "", "", ""
        self.api_first = True
        for folder in ("defs", "in"):
            (root / folder).mkdir()
        (root / "workspace.yaml").write_text("")
        (root / "defs" / "connectors.yaml").write_text(CONNECTORS)

    def project(self) -> Project:
        rules = RULES.replace("VALUES", self.values) if self.values else ""
        table = "upsert" if "key" in self.mode else "one"
        targets = [
            f"  - {{connector: crm, table: {table}, {self.mode}}}\n",
            f"  - {{connector: warehouse, table: contacts, {self.mode}}}\n",
        ]
        targets = targets if self.api_first else targets[::-1]
        (self.root / "defs" / "contacts.yaml").write_text(
            "name: contacts\n"
            f"source: {{connector: drops, stream: '*.jsonl', mode: incremental, {', '.join(self.source)}}}\n"
            f"{self.transforms}\n{self.partitions}\n{rules}\ndestinations:\n" + "".join(targets)
        )
        return open_project(self.root / "defs", self.root / "store")

    def put(self, *rows: dict[str, Any], name: str = "rows") -> None:
        """What the source holds now."""
        (self.root / "in" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, *rows: dict[str, Any]) -> RunReport:
        self.put(*rows)
        return run(self.project(), RunRequest("contacts"))

    def replay(self) -> RunReport:
        report = replay_dead_letters(self.project(), "contacts")
        assert report.status == "success", report.error
        return report

    def refuse(self, *values: str) -> None:
        self.sink.refuses = lambda record: "no" if record["v"] in values else None

    def sent(self) -> dict[str, str]:
        return {str(key): record["v"] for key, record in self.sink.stored.items()}

    def loaded(self) -> dict[str, str]:
        with duckdb.connect(self.root / "warehouse.duckdb") as connection:
            return {str(key): v for key, v in connection.execute("select id, v from contacts").fetchall()}

    def fate(self, destination: str, key: int = 1) -> tuple[str, str]:
        found = explain(self.project(), "contacts", f"id={key}").destinations[destination]
        return found.status, " ".join([found.detail, *(why for _, why in found.overwritten)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with Sink() as sink:
        monkeypatch.setenv("API_URL", sink.api.url)
        monkeypatch.chdir(tmp_path)
        yield Site(tmp_path, sink)


def row(v: str, at: int, key: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "at": at, "v": v, "gone": None} | more


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


def test_an_api_gets_no_older_version_from_a_file_that_comes_late(site: Site) -> None:
    site.run(row("new", 5), row("other", 5, 2))
    site.put(row("newest", 9, 2), row("old", 3), name="late")
    site.source = ["cursor: {field: at, lag: 6}"]
    report = run(site.project(), RunRequest("contacts"))
    assert report.status == "success", report.error
    assert site.sent() == site.loaded() == {"1": "new", "2": "newest"}


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


def test_where_the_cursor_is_dropped_what_was_read_later_stays(site: Site) -> None:
    site.transforms = "transforms: [{sql: 'select id, v from input'}]"
    site.values = "[new, x]"
    site.run(row("old", 1), row("x", 1, 2))
    site.run(row("new", 2), row("x", 1, 2))
    site.run(row("new", 2), row("old", 3, 3))
    site.values = ""
    site.replay()
    assert site.sent() == site.loaded() == {"1": "new", "2": "x", "3": "old"}


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


def test_a_key_that_became_text_is_still_the_same_key(site: Site) -> None:
    site.refuse("old")
    site.run(row("old", 1), row("old", 1, 2))
    site.transforms = "transforms: [{sql: 'select * replace (cast(id as varchar) as id) from input'}]"
    assert site.run(row("new", 2), row("old", 1, 2)).destinations["crm"].status == "success"
    site.refuse()
    replay_dead_letters(site.project(), "contacts")
    assert site.sent() == {"1": "new", "2": "old"}
