"""What was found out about feeds is kept for as long as nothing of them changes."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from platform_pipelines import durable
from platform_pipelines.model import Feed
from platform_pipelines.store.feedindex import STEP, FeedIndex
from platform_pipelines_tests.torture.crash import Bomb, Crash, hooked
from platform_pipelines_tests.torture.elsewhere import excused

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.store.feedindex import Digest

FEEDS = [Feed("p", f"{number:04}") for number in range(STEP + 1)]
OLD = 1_600_000_000


class Site:
    """A pipeline's folder, and what was asked about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        for number, feed in enumerate(FEEDS):
            epoch = self.feed(feed) / "e000001"
            epoch.mkdir(parents=True)
            for each in (epoch, epoch.parent):  # a minute apart, as runs write them
                os.utime(each, (OLD + 60 * number, OLD + 60 * number))

    def feed(self, feed: Feed) -> Path:
        return self.folder / "feeds" / feed.folder

    def ask(self, shape: int = 1, feeds: list[Feed] | None = None) -> list[str]:
        """The feeds that had to be looked at; what is told of each is checked to be true."""
        self.asked.clear()
        feeds = FEEDS if feeds is None else feeds
        found = FeedIndex(self.folder, shape).digests(feeds, self._look)
        assert found == [self._truth(feed) for feed in feeds]
        return list(self.asked)

    def _look(self, feed: Feed) -> Digest:
        self.asked.append(feed.key)
        return self._truth(feed)

    def _truth(self, feed: Feed) -> Digest:
        return {"names": sorted(path.name for path in self.feed(feed).rglob("*"))}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


NEWEST = FEEDS[-1].key


def test_each_feed_is_looked_at_once(site: Site) -> None:
    assert site.ask() == [feed.key for feed in FEEDS]
    # the newest could change once more within the resolution of the file system's times
    assert site.ask() == [NEWEST]


def test_feeds_that_were_all_written_at_once_settle_when_time_has_passed(site: Site) -> None:
    for path in (site.folder / "feeds").rglob("*"):
        os.utime(path, (OLD, OLD))
    assert [len(site.ask()) for _ in range(3)] == [len(FEEDS), len(FEEDS), 0]


@pytest.mark.parametrize("name", ["e000001/000002.json", "e000002", "offsets", ".lock"])
def test_a_feed_that_changed_is_looked_at_again(site: Site, name: str) -> None:
    site.ask()
    changed = site.feed(FEEDS[3]) / name
    changed.touch() if changed.suffix or name == ".lock" else changed.mkdir()
    assert site.ask() == [FEEDS[3].key, NEWEST]


def test_what_is_taken_away_or_brought_back_shows_too(site: Site) -> None:
    site.ask()
    (site.feed(FEEDS[3]) / "e000001").rmdir()
    folder = site.feed(FEEDS[5])
    moment = folder.stat().st_mtime_ns
    folder.rename(folder.with_name("aside"))
    (folder / "e000001").mkdir(parents=True)
    for each in (folder / "e000001", folder):
        os.utime(each, ns=(moment, moment))  # as a copy with its times kept
    assert site.ask() == [FEEDS[3].key, FEEDS[5].key, NEWEST]


def test_new_feeds_are_added(site: Site) -> None:
    site.ask(feeds=FEEDS[:-1])
    assert site.ask() == [FEEDS[-2].key, NEWEST]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"shape": 1}', '{"shape": 1, "feeds": [1]}', '{"shape": 2, "feeds": {}}']
)
def test_an_index_that_cannot_be_read_or_has_another_shape_is_made_anew(site: Site, content: str) -> None:
    site.ask()
    (site.folder / "feeds.index.json").write_text(content)
    assert len(site.ask()) == len(FEEDS)
    assert site.ask() == []


def test_a_handful_of_feeds_or_changes_writes_nothing(site: Site) -> None:
    few = FEEDS[: STEP - 1]
    for _ in range(2):
        assert len(site.ask(feeds=few)) == len(few)
    file = site.folder / "feeds.index.json"
    assert not file.exists()
    site.ask()
    before = file.stat().st_ino
    (site.feed(FEEDS[3]) / "e000001" / "000002.json").touch()
    site.ask()
    assert file.stat().st_ino == before
    assert json.loads(file.read_bytes())["shape"] == 1


def test_who_may_not_write_looks_at_everything(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(durable, "create", refuse)
    for _ in range(2):
        assert len(site.ask()) == len(FEEDS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the dead close no files
def test_who_dies_while_it_is_written_leaves_the_truth(site: Site) -> None:
    met: set[str] = set()
    for number in range(100):
        bomb = Bomb(number)
        with hooked(bomb), contextlib.suppress(Crash):
            site.ask()
        if bomb.died_at is None:
            break
        met.add(bomb.died_at.site)
        (site.folder / "feeds.index.json").unlink(missing_ok=True) if number % 2 else None
        site.ask()
        (site.folder / "feeds.index.json").unlink()
    assert number >= 6
    assert excused("test_who_dies_while_it_is_written_leaves_the_truth") <= met
