"""Listings of many partitions tell the same with the index of feeds as without it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import (
    RunRequest,
    changed_partitions,
    dead_letters,
    newest_dead_letters,
    open_project,
    replay_dead_letters,
    run,
    state,
)
from platform_pipelines.engine.digest import Digest
from platform_pipelines.store.feedindex import STEP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.engine import Project

KEYS = [f"k{number:03}" for number in range(STEP + 4)]
CONNECTORS = """
drops: {type: files, root: in, format: csv}
console: {type: logger}
lake: {type: files, root: lake, format: parquet}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
PIPELINE = """
name: p
source: {{connector: drops, stream: rows.csv, mode: incremental, cursor: {{field: at, timezone: UTC}}}}
quality: {{rules: [{{id: positive, type: range, field: amount, min: {least}}}]}}
partitions: {{by: value, field: region, values: {keys}}}
destinations:
  - {{connector: console, table: p, mode: append}}
  - {{connector: lake, table: p, mode: append}}
  - {{connector: warehouse, table: main.p, mode: append}}
"""
OLD = 1_600_000_000


class Site:
    """A project of one pipeline with many partitions, of which one was run, and all others are its copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("defs", "in"):
            (folder / name).mkdir()
        (folder / "workspace.yaml").write_text("")
        (folder / "defs" / "connectors.yaml").write_text(CONNECTORS)
        self.rows("k000", 5, -1)
        run(self.project(), RunRequest(pipeline="p", partitions=("k000",)))
        first = folder / "store" / "p" / "feeds" / "p-k000"
        for number, key in enumerate(KEYS[1:]):
            copy = first.with_name(f"p-{key}")
            shutil.copytree(first, copy)
            for each in (copy, *(path for path in copy.iterdir() if path.is_dir())):
                os.utime(each, (OLD + number, OLD + number))

    def rows(self, region: str, *amounts: int, day: int = 1) -> None:
        lines = [f"{number},{amount},{region},2024-01-0{day}T00:00:00Z" for number, amount in enumerate(amounts)]
        (self.folder / "in" / "rows.csv").write_text("\n".join(["id,amount,region,at", *lines, ""]))

    def project(self, least: int = 0) -> Project:
        (self.folder / "defs" / "p.yaml").write_text(PIPELINE.format(least=least, keys=KEYS))
        return open_project(self.folder / "defs", self.folder / "store")

    def told(self) -> dict[str, Any]:
        """What listings tell, the same with the index, with an old one, and with none."""
        index = self.folder / "store" / "p" / "feeds.index.json"
        found = self._told()
        index.unlink(missing_ok=True)
        assert self._told() == found
        assert index.exists()
        assert self._told() == found
        return found

    def _told(self) -> dict[str, Any]:
        project = self.project()
        return {
            "state": state(project, "p").to_json(),
            "count": newest_dead_letters(project, "p", 1)[1],
            "letters": [(each["partition"], each["rule"]) for each in dead_letters(project, "p")],
        }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    return Site(tmp_path)


def test_runs_and_replays_show_at_once(site: Site) -> None:
    first = site.told()
    assert first["count"] == len(KEYS)
    assert first["letters"] == [(key, "positive") for key in KEYS]
    feeds = first["state"]["feeds"]
    assert [feed["partition"] for feed in feeds] == KEYS
    assert feeds[0]["destinations"]["warehouse"] == {"epoch": 1, "sequence": 1, "behind": 0, "error": None}
    # the log keeps what a console was given; the others never had the copies
    assert feeds[7]["destinations"]["console"] == {"epoch": 1, "sequence": 1, "behind": 0, "error": None}
    assert feeds[7]["destinations"]["lake"] == {"epoch": None, "sequence": None, "behind": 1, "error": None}

    site.rows("k007", 8, -2, -3, day=2)
    assert run(site.project(), RunRequest(pipeline="p", partitions=("k007",))).status == "success"
    second = site.told()
    assert second["count"] == len(KEYS) + 2
    changed = second["state"]["feeds"][7]
    assert (changed["batches"], changed["rows"], changed["watermark"][:10]) == (2, 5, "2024-01-02")
    assert changed["destinations"]["lake"] == {"epoch": 1, "sequence": 2, "behind": 0, "error": None}
    assert second["state"]["feeds"][8:] == feeds[8:]

    run(site.project(), RunRequest(pipeline="p", partitions=("k007",), full_refresh=True))
    third = site.told()
    assert third["state"]["feeds"][7]["epoch"] == 2
    assert third["count"] == len(KEYS) - 1 + 2


def test_what_changed_at_the_source_is_told_by_the_watermarks_that_are_kept(site: Site) -> None:
    for _ in range(2):
        assert changed_partitions(site.project(), "p") == []
    site.rows("k007", 8, day=2)
    assert changed_partitions(site.project(), "p") == ["k007"]
    run(site.project(), RunRequest(pipeline="p", partitions=("k007",)))
    assert changed_partitions(site.project(), "p") == []


def test_dead_letters_that_were_taken_up_are_told_of_no_more(site: Site) -> None:
    site.told()
    kept = site.folder / "store" / "p" / "feeds"
    for key in KEYS[3:]:
        (kept / f"p-{key}" / "e000001").rename(site.folder / f"aside-{key}")
    replay_dead_letters(site.project(least=-5), "p")
    for key in KEYS[3:]:
        (site.folder / f"aside-{key}").rename(kept / f"p-{key}" / "e000001")
    assert site.told()["letters"] == [(key, "positive") for key in KEYS[3:]]


def test_a_destination_that_does_not_answer_is_asked_once(site: Site) -> None:
    (site.folder / "warehouse.duckdb").write_text("no database")
    errors = {feed.destinations["warehouse"].error for feed in state(site.project(), "p").feeds if feed.destinations}
    (error,) = errors
    assert "warehouse.duckdb" in (error or "")


def test_batches_beyond_an_offset_are_counted_across_gaps() -> None:
    digest = Digest(sealed=[[1, 3], [5, 5], [8, 10]])
    assert [digest.sealed_after(sequence) for sequence in (0, 2, 3, 4, 5, 9, 10)] == [7, 5, 4, 4, 3, 1, 0]
