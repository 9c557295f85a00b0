"""Records of an API without the cursor: each a clear error or the declared choice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.cli.main import execute
from platform_pipelines_tests.api_pages import Paged, rows
from platform_pipelines_tests.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[[list[dict[str, Any]]], tuple[int, dict[str, Any]]]

PIPELINE = """
name: contacts
source: {connector: api, stream: contacts, mode: incremental, cursor: {field: at, on_missing: CHOICE}}
destinations: [{connector: lake, table: contacts, mode: append}]
"""
CONNECTORS = """
api:
  type: rest
  base_url: URL
  streams:
    contacts: {path: /paged/cursor, records: results, pagination: {type: cursor, param: after, path: paging.next.after}}
lake: {type: files, root: lake, format: jsonl}
"""


@pytest.fixture
def run(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a pipeline with the choice of the parameter over the records that an API gives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINES_DEFS", "defs")
    (tmp_path / "defs").mkdir()
    (tmp_path / "defs/contacts.yaml").write_text(PIPELINE.replace("CHOICE", request.param))
    with ApiServer() as api:
        (tmp_path / "defs/connectors.yaml").write_text(CONNECTORS.replace("URL", api.url))

        def run(records: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
            Paged(api, records)
            code = execute(["run", "contacts", "--json"])
            return code, json.loads(capsys.readouterr().out)

        yield run


def _some_without() -> list[dict[str, Any]]:
    found = rows(25)
    for place in (3, 17):
        found[place]["at"] = None
    del found[20]["at"]
    return found


@pytest.mark.parametrize("run", ["fail"], indirect=True)
def test_records_without_the_cursor_fail(run: Run) -> None:
    code, report = run(_some_without())
    assert (code, report["status"]) == (1, "failed")
    assert "Cursor `at` of stream `contacts` is NULL in 3 of 25 rows" in report["error"]


@pytest.mark.parametrize("run", ["skip"], indirect=True)
def test_records_without_the_cursor_are_left_out_and_counted(run: Run) -> None:
    code, report = run(_some_without())
    assert (code, report["rows"]["filtered"], report["rows"]["loaded"]) == (0, 3, {"lake": 22})


@pytest.mark.parametrize("run", ["include"], indirect=True)
def test_records_without_the_cursor_are_read_each_time_and_loaded_once(run: Run) -> None:
    code, report = run(_some_without())
    assert (code, report["rows"]["loaded"]) == (0, {"lake": 25})
    code, report = run(_some_without())
    assert (code, report["status"]) == (0, "nothing_new")


@pytest.mark.parametrize("run", ["include", "fail"], indirect=True)
def test_a_cursor_that_no_record_has_is_an_error(run: Run) -> None:
    code, report = run([{"id": i} for i in range(5)])
    assert code == 1
    assert "The cursor field 'at' is not a column of the stream. Columns: id." in report["error"]
