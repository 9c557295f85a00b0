"""A ``python`` transform in whole runs: dead letters, filtered rows, schema over batches, preview."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines import duck
from platform_pipelines.engine import RunRequest, open_project, preview, run
from platform_pipelines.isolated import syscalls

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.engine import Project

if not syscalls.program():
    pytest.skip("no libseccomp on this system", allow_module_level=True)

PIPELINE = """name: people
source: {{connector: drops, stream: "people-*.jsonl", mode: incremental, cursor: {{field: id}}}}
transforms:
  - label: Tidy
    python: |
{text}
destinations:
  - {{connector: warehouse, table: people, mode: merge, key: [id]}}
"""


class Place:
    """A project in a folder with one pipeline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "defs").mkdir()
        (folder / "in").mkdir()
        (folder / "defs" / "connectors.yaml").write_text(
            f"drops: {{type: files, root: {folder}/in, format: jsonl}}\n"
            f"warehouse: {{type: duckdb, path: {folder}/warehouse.duckdb}}\n"
        )

    def declare(self, text: str) -> Project:
        lines = "\n".join(f"      {line}" for line in text.splitlines())
        (self.folder / "defs" / "people.yaml").write_text(PIPELINE.format(text=lines))
        return open_project(self.folder / "defs", self.folder / "store")

    def drop(self, name: str, *records: dict[str, Any]) -> None:
        text = "".join(json.dumps(record) + "\n" for record in records)
        (self.folder / "in" / f"people-{name}.jsonl").write_text(text)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duck.connect(self.folder / "warehouse.duckdb") as connection:
            return connection.execute(sql).fetchall()

    def types(self) -> dict[str, str]:
        return {str(row[0]): str(row[1]) for row in self.rows("describe people") if not row[0].startswith("_")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


TEXT = """if record['kind'] == 'test':
    return None
record['email'] = record['email'].lower()
return record"""


def test_every_record_is_loaded_rejected_or_filtered(place: Place) -> None:
    project = place.declare(TEXT)
    place.drop(
        "1",
        {"id": 1, "email": "A@X", "kind": "p"},
        {"id": 2, "email": None, "kind": "p"},
        {"id": 3, "email": "T", "kind": "test"},
        {"id": 4, "email": "b@y", "kind": "p"},
    )
    report = run(project, RunRequest(pipeline="people"))
    assert report.status == "success"
    counts = report.to_json()["rows"]
    assert (counts["read"], counts["filtered"], counts["rejected"], counts["loaded"]) == (4, 1, 1, {"warehouse": 2})
    assert place.rows("select id, email from people order by id") == [(1, "a@x"), (4, "b@y")]
    shown = preview(project, "people", limit=4)
    assert [row["email"] for row in shown.rows] == ["a@x", "b@y"]  # nothing is new: the first rows of the stream


def test_new_fields_keep_their_types_over_batches(place: Place) -> None:
    project = place.declare("record['score'] = record['raw'] and record['raw'] / 2\nreturn record")
    place.drop("1", {"id": 1, "raw": 3})
    assert run(project, RunRequest(pipeline="people")).status == "success"
    before = place.types()
    place.drop("2", {"id": 2, "raw": 0})
    place.drop("3", {"id": 3, "raw": None})
    assert run(project, RunRequest(pipeline="people")).status == "success"
    assert place.types() == before == {"id": "BIGINT", "raw": "BIGINT", "score": "DOUBLE"}
    assert place.rows("select id, score from people order by id") == [(1, 1.5), (2, 0.0), (3, None)]


def test_a_field_that_a_batch_lacks_is_null_and_a_new_one_is_a_new_column(place: Place) -> None:
    text = "if record['raw'] == 1: record['one'] = 'x'\nif record['raw'] == 2: record['two'] = 2\nreturn record"
    project = place.declare(text)
    for number in (1, 2):
        place.drop(str(number), {"id": number, "raw": number})
        assert run(project, RunRequest(pipeline="people")).status == "success"
    assert place.rows("select id, one, two from people order by id") == [(1, "x", None), (2, None, 2)]


def test_a_preview_runs_the_text(place: Place) -> None:
    project = place.declare(TEXT)
    place.drop("1", {"id": 1, "email": "A@X", "kind": "p"}, {"id": 2, "email": None, "kind": "p"})
    shown = preview(project, "people")
    assert [row["email"] for row in shown.rows] == ["a@x"]
    assert (shown.transforms[0].rows_in, shown.transforms[0].rows_out) == (2, 1)


def test_what_is_not_allowed_is_refused_before_anything_runs(place: Place) -> None:
    with pytest.raises(
        Exception, match=r"people\.yaml:5: Transform `Tidy` \(python\): line 2: `import os` is not allowed"
    ):
        place.declare("x = 1\nimport os\nreturn record")
