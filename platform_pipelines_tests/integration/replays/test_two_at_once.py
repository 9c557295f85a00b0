"""Two processes at one API: what one has looked up stays true until it has sent what it found."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import replay_dead_letters
from platform_pipelines.engine.overtaken import Arrivals
from platform_pipelines_tests.integration.replays.contacts import row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines_tests.integration.replays.contacts import Site


class Tells(logging.Handler):
    """Tells that a load waits for another one."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.waits = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "is being worked on by" in record.getMessage():
            self.waits.set()


@pytest.fixture
def tells() -> Iterator[Tells]:
    handler, logger = Tells(), logging.getLogger("platform_pipelines.engine.loading")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.parametrize("by", ["rule", "api"])
@pytest.mark.parametrize("table", ["upsert", "forgetful"])
def test_a_newer_version_waits_for_the_older_one(
    site: Site, tells: Tells, monkeypatch: pytest.MonkeyPatch, by: str, table: str
) -> None:
    """A replay found nothing newer and is about to send; meanwhile a run lands something newer, and would send it."""
    site.table, site.warehouse = table, False
    site.values = "[new]" if by == "rule" else ""
    site.refuse("old")
    assert site.run(row("old", 1)).rejected == 1
    site.values = ""
    site.refuse()
    looked, ended = threading.Event(), threading.Event()
    find = Arrivals.find_overtaken

    def hold(arrivals: Arrivals, *arguments: Any) -> int:
        found = find(arrivals, *arguments)
        if not looked.is_set():  # it is the first one that looks
            looked.set()
            while not (tells.waits.wait(0.05) or ended.is_set()):
                pass
        return found

    monkeypatch.setattr(Arrivals, "find_overtaken", hold)
    statuses = []
    project = site.project()
    replaying = threading.Thread(target=lambda: statuses.append(replay_dead_letters(project, "contacts").status))
    replaying.start()
    assert looked.wait(60)
    running = threading.Thread(target=lambda: (statuses.append(site.run(row("new", 2)).status), ended.set()))
    running.start()
    for thread in (running, replaying):
        thread.join(60)
    assert statuses == ["success", "success"]
    assert site.sent() == {"1": "new"}


def test_a_load_into_a_database_waits_for_nobody(site: Site, tells: Tells) -> None:
    """It is held up by no lock: the database refuses what another load has overtaken."""
    site.run(row("old", 1))
    assert not list((site.root / "store").rglob(".warehouse*.lock"))
    assert len(list((site.root / "store").rglob(".crm*.lock"))) == 1
    assert not tells.waits.is_set()
