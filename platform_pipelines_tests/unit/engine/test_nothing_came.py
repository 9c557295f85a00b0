"""Sources that give nothing at all, not even columns: an empty file, an API that answers `[]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from platform_pipelines.engine import RunRequest, open_project, run

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine import RunReport

CONNECTORS = """
drops: {type: files, root: in, format: jsonl}
wh: {type: duckdb, path: w.duckdb}
lake: {type: files, root: lake, format: parquet}
console: {type: logger}
"""
PIPELINE = """
name: p
source: {connector: drops, stream: a.jsonl, SOURCE}
transforms: [{map: {id: id, n: {from: at, convert: string}, at: at}}]
quality: {rules: [{id: filled, type: required, fields: [id]}, {id: once, type: unique, fields: [id]}]}
destinations:
  - {connector: wh, table: raw.p, MODE}
  - {connector: lake, table: p, MODE}
  - {connector: console, table: p, mode: append}
"""
INCREMENTAL = "mode: incremental, cursor: {field: at}"
WHOLE = "mode: full_refresh"
MERGE = "mode: merge, key: [id]"
REPLACE = "mode: replace"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workspace.yaml").write_text("")
    (tmp_path / "defs").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "defs/connectors.yaml").write_text(CONNECTORS)
    return tmp_path


def _run(site: Path, text: str) -> RunReport:
    (site / "in/a.jsonl").write_text(text)
    report = run(open_project(site / "defs", site / "store"), RunRequest("p"))
    assert report.error is None
    return report


def _held(site: Path) -> list[tuple[int, str]]:
    with duckdb.connect(site / "w.duckdb") as connection:
        return connection.execute("select id, n from raw.p order by id").fetchall()


@pytest.mark.parametrize(("source", "mode"), [(INCREMENTAL, MERGE), (WHOLE, REPLACE), (WHOLE, MERGE)])
def test_nothing_at_first_is_no_failure_and_what_comes_later_is_loaded(site: Path, source: str, mode: str) -> None:
    (site / "defs/p.yaml").write_text(PIPELINE.replace("SOURCE", source).replace("MODE", mode))
    for _ in range(2):
        report = _run(site, "")
        assert {name: each.status for name, each in report.destinations.items()} == dict.fromkeys(
            ("wh", "lake", "console"), "success"
        )
    report = _run(site, '{"id": 1, "at": 5}\n')
    assert {name: each.rows for name, each in report.destinations.items()} == {"wh": 1, "lake": 1, "console": 1}
    assert _held(site) == [(1, "5")]


@pytest.mark.parametrize("mode", [REPLACE, MERGE])
def test_a_whole_read_that_gives_nothing_leaves_an_empty_table_with_its_columns(site: Path, mode: str) -> None:
    (site / "defs/p.yaml").write_text(PIPELINE.replace("SOURCE", WHOLE).replace("MODE", mode))
    _run(site, '{"id": 1, "at": 5}\n{"id": 2, "at": 6}\n')
    _run(site, "")
    assert _held(site) == []
    _run(site, '{"id": 3, "at": 7}\n')
    assert _held(site) == [(3, "7")]


def test_an_increment_that_gives_nothing_takes_nothing_away(site: Path) -> None:
    (site / "defs/p.yaml").write_text(PIPELINE.replace("SOURCE", INCREMENTAL).replace("MODE", MERGE))
    _run(site, '{"id": 1, "at": 5}\n')
    assert _run(site, "").status == "nothing_new"
    assert _held(site) == [(1, "5")]
