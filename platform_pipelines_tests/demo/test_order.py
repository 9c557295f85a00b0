from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.demo.order import ordered, run_all
from platform_pipelines.demo.summary import print_summary
from platform_pipelines.demo.table import text_table
from platform_pipelines.engine import open_project
from platform_pipelines.engine.project import PACKAGED_DEFS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_pipeline_comes_after_those_that_trigger_it() -> None:
    project = open_project(PACKAGED_DEFS)
    names = list(ordered(project))
    assert sorted(names) == sorted(project.catalog.pipelines)
    for name in names:
        assert all(names.index(each) < names.index(name) for each in project.pipeline(name).triggers.after)


def test_pipelines_behind_a_failed_one_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no input lies here
    project = open_project(PACKAGED_DEFS, tmp_path / "store")
    said: list[str] = []
    reports = run_all(project, said.append)
    assert {report.pipeline: report.status for report in reports} == dict.fromkeys(
        ("airlines", "airports", "planes", "weather"), "failed"
    )
    assert "Left out: flights, because airlines, airports, planes did not succeed" in said
    assert "Left out: delays, because flights did not succeed" in said
    print_summary(project, reports)
    printed = capsys.readouterr().out
    assert "airlines.csv" in printed
    assert "Rows in the warehouse\n  none" in printed


def test_a_table_aligns_texts_left_and_numbers_right() -> None:
    table = text_table(["name", "rows"], [["a", 1], ["long name", 12345], ["c", None]])
    assert table.splitlines() == [
        "  name         rows",
        "  a               1",
        "  long name  12,345",
        "  c               -",
    ]
