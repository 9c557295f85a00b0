"""Effects that take a state no run of the matrix begins in, each died around by itself."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.connectors.http_journal import Journal, Outcome
from platform_pipelines.store.runs import RunLog
from platform_pipelines_tests.torture.crash import Bomb, Crash, Point, Recorder, hooked
from platform_pipelines_tests.torture.elsewhere import excused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: a process that dies closes no files; the test's own does not die
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WHOLE = Outcome("a", "done")


def _deaths(act: Callable[[], None], restore: Callable[[], None], verify: Callable[[], None]) -> list[Point]:
    """Die at each moment of ``act``, do it again, and verify; the moments."""
    restore()
    recorder = Recorder()
    with hooked(recorder):
        act()
    verify()
    for number, point in enumerate(recorder.points):
        restore()
        bomb = Bomb(number)
        with hooked(bomb), pytest.raises(Crash):
            act()
        assert bomb.died_at == point
        act()
        verify()
    return recorder.points


def test_dead_around_the_end_of_a_line_cut_off(tmp_path: Path, cases: Callable[[str, int], None]) -> None:
    """The machine died as an answer was written down; what follows stands in lines of its own."""
    path = tmp_path / "000001-000001-0123456789ab.jsonl"

    def restore() -> None:
        path.write_bytes(json.dumps([WHOLE]).encode() + b'\n[["b", "do')

    def verify() -> None:
        journal = Journal(path)
        assert journal.known == {"a": WHOLE, "c": Outcome("c", "absent")}
        journal.close()

    def act() -> None:
        journal = Journal(path)
        journal.add([Outcome("c", "absent")])
        journal.close()

    points = _deaths(act, restore, verify)
    assert excused("test_dead_around_the_end_of_a_line_cut_off") <= {point.site for point in points}
    cases("deaths around effects met by themselves", len(points))


def test_dead_around_a_record_whose_folder_is_gone(tmp_path: Path, cases: Callable[[str, int], None]) -> None:
    """A record of a run is told by nobody else; one half written is passed over."""
    log, folder = RunLog(tmp_path / "runs"), tmp_path / "runs"

    def restore() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def verify() -> None:
        assert {(entry.stage, entry.body["n"]) for entry in log.entries("p", "pt-1")} == {("landing", 1)}

    points = _deaths(lambda: log.add("p", "pt-1", "landing", {"n": 1}), restore, verify)
    assert excused("test_dead_around_a_record_whose_folder_is_gone") <= {point.site for point in points}
    cases("deaths around effects met by themselves", len(points))
