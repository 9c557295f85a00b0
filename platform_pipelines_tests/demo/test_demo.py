from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from platform_pipelines_tests.demo import expected
from platform_pipelines_tests.demo.running import ordered, run_demo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from platform_pipelines_tests.demo.expected import Expected
    from platform_pipelines_tests.demo.running import Demo

#: one process runs the demo for all of them
pytestmark = pytest.mark.xdist_group("demo")

INPUTS = [expected.airlines, expected.airports, expected.planes, expected.weather, expected.flights]
WATERMARKS = {"weather": "2013-12-30T23:00:00Z", "flights": "2014-01-01T04:00:00Z"}

inputs = pytest.mark.parametrize("worked_out", INPUTS, ids=lambda function: function.__name__)


@inputs
def test_printed_counts(demo: Demo, worked_out: Callable[[], Expected]) -> None:
    name, figures = worked_out.__name__, worked_out()
    printed = next(row for row in demo.printed("runs") if row["pipeline"] == name)
    assert printed["status"] == "success"
    assert printed["read"] == f"{figures.read:,}"
    assert printed["rejected"] == f"{figures.rejected.total():,}"
    assert printed["flagged"] == f"{figures.flagged:,}"
    assert printed["filtered"] == printed["deduplicated"] == "0"
    assert printed["loaded: warehouse"] == printed["loaded: lake"] == f"{len(figures.rows):,}"
    assert printed["watermark"] == WATERMARKS.get(name, "-")


def test_printed_dead_letters(demo: Demo) -> None:
    counted = {(row["pipeline"], row["rule"]): row["dead letters"] for row in demo.printed("dead_letters")}
    assert counted == {
        (worked_out.__name__, rule): f"{number:,}"
        for worked_out in INPUTS
        for rule, number in worked_out().rejected.items()
    }


@inputs
def test_rows_in_warehouse_and_lake(demo: Demo, worked_out: Callable[[], Expected]) -> None:
    name, rows = worked_out.__name__, worked_out().rows
    columns = list(rows[0])
    wanted = ordered(rows)
    assert ordered(demo.warehouse(f"raw.{name}", columns)) == wanted
    assert ordered(demo.lake(name, columns)) == wanted


def test_delays(demo: Demo) -> None:
    wanted = expected.delays()
    columns = ["carrier", "year", "month", *next(iter(wanted.values()))]
    found = {
        (row.pop("carrier"), row.pop("year"), row.pop("month")): row
        for row in demo.warehouse("marts.delays_by_carrier", columns)
    }
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert found[key] == pytest.approx(row), key


def test_printed_delays_are_the_longest(demo: Demo) -> None:
    many = {key: row for key, row in expected.delays().items() if row["departed"] >= 100}
    worst = sorted(many, key=lambda key: -many[key]["avg_dep_delay"])[:10]
    printed = [
        (row["carrier"], int(row["month"]), int(row["flights"].replace(",", ""))) for row in demo.printed("delays")
    ]
    assert printed == [(key[0], key[2], many[key]["flights"]) for key in worst]


def test_tables_are_listed_with_their_rows(demo: Demo) -> None:
    listed = {row["table"]: row["rows"] for row in demo.printed("tables")}
    wanted = {f"raw.{worked_out.__name__}": f"{len(worked_out().rows):,}" for worked_out in INPUTS}
    assert listed == wanted | {"marts.delays_by_carrier": f"{len(expected.delays()):,}"}


def test_how_to_go_on_is_said(demo: Demo) -> None:
    assert "make dev" in demo.output
    assert "http://localhost:3000" in demo.output


def test_run_again_adds_nothing(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(demo.folder, folder)
    again = run_demo(folder)
    runs = {row["pipeline"]: row for row in again.printed("runs")}
    assert runs["flights"]["status"] == runs["weather"]["status"] == "nothing_new"
    for section in ("dead_letters", "tables", "delays"):
        assert again.printed(section) == demo.printed(section)
    columns = list(expected.flights().rows[0])
    assert ordered(again.lake("weather", ["origin", "time_hour"])) == ordered(
        demo.lake("weather", ["origin", "time_hour"])
    )
    assert ordered(again.warehouse("raw.flights", columns)) == ordered(demo.warehouse("raw.flights", columns))
