"""Loads that a database takes and no pipeline asks for: hard deletes in replace and update, died in by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors import duckdb_session
from platform_pipelines.model import Feed, Load, Offset
from platform_pipelines_tests.torture.crash import Bomb, Crash, Recorder, hooked
from platform_pipelines_tests.torture.elsewhere import excused
from platform_pipelines_tests.torture.site import TABLE, Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from platform_pipelines.model import Mode
    from platform_pipelines_tests.torture.crash import Point

#: a process that dies closes no files; the test's own does not die
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FEED = Feed("p")
OFFSETS: dict[Mode, Offset] = {"append": Offset(1, 1), "update": Offset(1, 2), "replace": Offset(2, 1)}
BEFORE = pa.table({"id": [1, 2, 3], "v": ["a", "b", "c"], "gone": pa.nulls(3, pa.string())})
ATTACKED = pa.table({"id": [1, 2, 9], "v": ["A", "B", "Z"], "gone": [None, "gone", None]})
#: rows that an attacked load leaves
LEFT: dict[Mode, set[tuple[int, str]]] = {"replace": {(1, "A"), (9, "Z")}, "update": {(1, "A"), (3, "c")}}


@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_dead_behind_statements_that_no_pipeline_has_sent(
    target: str, tmp_path: Path, postgres_database: str, cases: Callable[[str, int], None]
) -> None:
    wanted = excused("test_dead_behind_statements_that_no_pipeline_has_sent")
    met: set[str] = set()
    for mode, left in LEFT.items():
        (tmp_path / mode / "site").mkdir(parents=True)
        site = Site(tmp_path / mode / "site", postgres_database, (target,))
        points = [each for each in enumerate(_recorded(site, mode)) if wanted & set(each[1].calls)]
        for number, point in points:
            site.restore()
            bomb = Bomb(number)
            with hooked(bomb), pytest.raises(Crash):
                _load(site, ATTACKED, mode)
            assert bomb.died_at == point
            _load(site, ATTACKED, mode)
            assert _left(site) == left
            met |= set(point.calls)
        cases("deaths around effects met by themselves", len(points))
    assert wanted <= met


def _recorded(site: Site, mode: Mode) -> list[Point]:
    """Lead up to the load, keep that state, and see what the load does."""
    site.clear()
    _load(site, BEFORE, "append")
    site.keep()
    site.restore()
    recorder = Recorder()
    with hooked(recorder):
        _load(site, ATTACKED, mode)
    assert _left(site) == LEFT[mode]
    return recorder.points


def _load(site: Site, rows: pa.Table, mode: Mode) -> None:
    """Load the batch, unless it is there; all opened anew."""
    duckdb_session._writers.clear()
    (name,) = site.targets
    connector: Any = site.connectors()[name]
    if connector.offset(FEED, TABLE) == OFFSETS[mode]:
        return
    order = Load(
        FEED,
        TABLE,
        mode,
        rows.schema,
        OFFSETS[mode],
        len(rows),
        "pt-1",
        key=("id",) if mode == "update" else (),
        previous=None if mode == "append" else OFFSETS["append"],
        fresh=mode == "replace",
        delete_field="gone",
        delete_action="hard",
    )
    connector.load(order, rows.to_reader())


def _left(site: Site) -> set[tuple[int, str]]:
    (rows,) = site.contents().values()
    assert set(rows.values()) == {1}
    return {(row["id"], row["v"]) for row in map(dict, rows)}
