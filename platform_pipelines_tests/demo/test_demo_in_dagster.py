from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.demo import expected
from platform_pipelines_tests.demo.running import Demo, ordered
from platform_pipelines_tests.demo.through_dagster import materialize_demo

if TYPE_CHECKING:
    from pathlib import Path


#: one process runs the demo for all of them
pytestmark = pytest.mark.xdist_group("demo")


@pytest.mark.timeout(600)
def test_dagster_arrives_at_the_same_tables(demo: Demo, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    materialize_demo(folder, home)
    through_dagster = Demo(folder, "")
    for worked_out in (expected.airlines, expected.airports, expected.planes, expected.weather, expected.flights):
        name, columns = worked_out.__name__, list(worked_out().rows[0])
        wanted = ordered(demo.warehouse(f"raw.{name}", columns))
        assert ordered(through_dagster.warehouse(f"raw.{name}", columns)) == wanted
        assert ordered(through_dagster.lake(name, columns)) == wanted
    columns = ["carrier", "year", "month", *next(iter(expected.delays().values()))]
    mine = {tuple(row.values())[:3]: row for row in demo.warehouse("marts.delays_by_carrier", columns)}
    theirs = {tuple(row.values())[:3]: row for row in through_dagster.warehouse("marts.delays_by_carrier", columns)}
    assert mine.keys() == theirs.keys()
    assert all(theirs[key] == pytest.approx(mine[key]) for key in mine)
