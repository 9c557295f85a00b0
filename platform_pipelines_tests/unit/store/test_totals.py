from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import StoreCorrupt
from platform_pipelines.model import Feed
from platform_pipelines.store import FeedLog
from platform_pipelines.store.totals import STEP, kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fill(log: FeedLog, batches: int, *, sealed: int) -> Path:
    """So many batches of sequence rows and one dead letter each."""
    folder = log.epoch_folder(1)
    folder.mkdir(parents=True, exist_ok=True)
    for sequence in range(1, batches + 1):
        (folder / f"{sequence:06d}.json").write_text(json.dumps({"rows": sequence}))
        if sequence <= sealed:
            (folder / f"{sequence:06d}.verdict.json").write_text(json.dumps({"dead": [{"rows": 1}]}))
    return folder


def test_sums_are_kept_for_batches_with_a_verdict_and_equal_counting_anew(tmp_path: Path) -> None:
    log = FeedLog(tmp_path, Feed("orders"))
    folder = fill(log, STEP + 20, sealed=STEP + 10)
    before = log.rows(1), log.dead(1)
    log.sweep()
    assert kept(folder).through == STEP + 10
    assert (log.rows(1), log.dead(1)) == before == (sum(range(1, STEP + 21)), STEP + 10)


def test_batches_that_are_counted_are_not_opened_again(tmp_path: Path) -> None:
    log = FeedLog(tmp_path, Feed("orders"))
    folder = fill(log, STEP, sealed=STEP)
    log.sweep()
    for sequence in range(1, STEP + 1):
        (folder / f"{sequence:06d}.json").write_text("not to be read")
        (folder / f"{sequence:06d}.verdict.json").write_text("not to be read")
    assert log.rows(1) == sum(range(1, STEP + 1))
    assert log.dead(1) == STEP


def test_few_batches_are_counted_without_a_file_and_a_broken_one_is_counted_anew(tmp_path: Path) -> None:
    log = FeedLog(tmp_path, Feed("orders"))
    folder = fill(log, STEP - 1, sealed=STEP - 1)
    log.sweep()
    assert not (folder / "totals.json").exists()
    (folder / "totals.json").write_text('{"through": 3, "ro')
    assert log.dead(1) == STEP - 1


@pytest.mark.parametrize(("name", "asked"), [("000002.json", FeedLog.rows), ("000002.verdict.json", FeedLog.dead)])
def test_a_damaged_file_among_them_is_named(tmp_path: Path, name: str, asked: Callable[[FeedLog, int], int]) -> None:
    log = FeedLog(tmp_path, Feed("orders"))
    (fill(log, 3, sealed=3) / name).write_text("{")
    with pytest.raises(StoreCorrupt, match=f"{name} is unreadable .*Restore it from a backup"):
        asked(log, 1)
