"""Pipelines into an API: each record there once, whatever happens on the way; refused ones come back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from platform_pipelines.cli.main import execute
from platform_pipelines.engine import (
    RunRequest,
    dead_letters,
    explain,
    loading,
    open_project,
    replay_dead_letters,
    run,
)
from platform_pipelines.errors import SpecError
from platform_pipelines_tests.api_server import Answer, Asked
from platform_pipelines_tests.api_sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platform_pipelines.engine import Project

CONNECTORS = """
drops: {type: files, root: in, format: jsonl}
crm:
  type: http
  base_url: ${env://API_URL}
  concurrency: 2
  retries: {max: 2, delay: 0.01, max_delay: 0.02}
  tables:
    one: {path: "/contacts"}
    many:
      path: /batch
      method: POST
      batch: {body: {inputs: "{records}"}}
      results: {path: results, ok: ok, error: error.text}
    upsert: {path: "/contacts/{id}"}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
PIPELINE = """
name: contacts
source: {connector: drops, stream: "*.jsonl", mode: incremental, cursor: {field: at}}
destinations:
  - DESTINATION
  - {connector: warehouse, table: contacts, mode: append}
"""


class Site:
    """A project in a folder."""

    def __init__(self, root: Path, sink: Sink) -> None:
        self.root = root
        self.sink = sink
        self.process: subprocess.Popen[str] | None = None
        (root / "defs").mkdir()
        (root / "in").mkdir()
        (root / "workspace.yaml").write_text("")
        (root / "defs" / "connectors.yaml").write_text(CONNECTORS)

    def declare(self, destination: str) -> Project:
        (self.root / "defs" / "contacts.yaml").write_text(PIPELINE.replace("DESTINATION", destination))
        return open_project(self.root / "defs", self.root / "store")

    def drop(self, name: str, *ids: int) -> None:
        text = "".join(json.dumps({"id": n, "at": n, "name": f"n{n}"}) + "\n" for n in ids)
        (self.root / "in" / f"{name}.jsonl").write_text(text)

    def run(self) -> int:
        """Run the command line in a process of its own."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "platform_pipelines", "run", "contacts", "--json"],
            cwd=self.root,
            env=os.environ | {"PIPELINES_DEFS": "defs", "PIPELINES_STORE": "store"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode in {0, -signal.SIGKILL}, out + err
        return self.process.returncode

    def ids_in_the_warehouse(self) -> list[int]:
        with duckdb.connect(self.root / "warehouse.duckdb") as connection:
            return sorted(row[0] for row in connection.execute("select id from contacts").fetchall())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with Sink() as sink:
        monkeypatch.setenv("API_URL", sink.api.url)
        monkeypatch.setenv("PIPELINES_DEFS", "defs")
        monkeypatch.chdir(tmp_path)
        yield Site(tmp_path, sink)


@pytest.mark.parametrize(
    ("destination", "path", "deadly"),
    [
        ("{connector: crm, table: one, mode: append}", "/contacts", [7, 23]),
        ("{connector: crm, table: many, mode: append, batch_size: 3}", "/batch", [2, 6]),
    ],
)
def test_killed_in_mid_load_each_record_is_there_once(
    site: Site, destination: str, path: str, deadly: list[int]
) -> None:
    """The loader is killed by the API, after it has done what it was asked, and before it says so."""
    site.declare(destination)
    site.drop("1", *range(40))
    plain = site.sink.api._routes[path]
    left = [*deadly, 10_000]

    def answer(asked: Asked) -> Answer:
        done = plain(asked)
        left[0] -= 1
        if left[0] == 0:
            left.pop(0)
            assert site.process is not None
            os.killpg(site.process.pid, signal.SIGKILL)
            return Answer(fault="close")
        return done

    site.sink.api.serve(path, answer)
    assert [site.run() for _ in range(3)] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert site.sink.applied == {str(n): 1 for n in range(40)}
    requests = {"/contacts": 40, "/batch": 14}[path]
    repeated = len(site.sink.keys) - len(set(site.sink.keys))
    assert len(set(site.sink.keys)) == requests, "each attempt repeats the keys"
    assert repeated <= 2 * 2, "what was under way at each death, and no more"
    assert site.run() == 0
    assert len(site.sink.keys) == requests + repeated, "nothing new, nothing sent"


def test_refused_records_are_dead_letters_of_their_destination(site: Site) -> None:
    project = site.declare("{connector: crm, table: many, mode: append}")
    site.drop("1", *range(10))
    site.sink.refuses = lambda record: "no such owner" if record["id"] in {3, 4} else None
    report = run(project, RunRequest("contacts"))
    rows = report.to_json()["rows"]
    assert (report.status, rows["read"], rows["rejected"], rows["loaded"]) == (
        "success", 10, 2, {"crm": 8, "warehouse": 10},
    )  # fmt: skip
    letters = dead_letters(project, "contacts")
    assert [(each["record"]["id"], each["rule"], each["reason"]) for each in letters] == [
        (3, "destination:crm", "no such owner"),
        (4, "destination:crm", "no such owner"),
    ]
    site.sink.refuses = lambda record: "still not" if record["id"] == 4 else None
    again = replay_dead_letters(project, "contacts")
    assert (again.status, again.rejected, again.destinations["crm"].rows) == ("success", 1, 1), again.error
    assert [(each["record"]["id"], each["reason"]) for each in dead_letters(project, "contacts")] == [(4, "still not")]
    site.sink.refuses = lambda _: None
    assert replay_dead_letters(project, "contacts").destinations["crm"].rows == 1
    assert dead_letters(project, "contacts") == []
    assert site.sink.applied == {str(n): 1 for n in range(10)}
    assert site.ids_in_the_warehouse() == list(range(10)), "the other destination had them, and has them once"


def told(project: Project, key: str) -> tuple[str, str, list[str]]:
    """What the destination ``crm`` is said to have done with a row."""
    found = explain(project, "contacts", key)
    fate = found.destinations["crm"]
    assert found.destinations["warehouse"].status == "loaded"
    assert found.to_json()["destinations"]["crm"]["status"] == fate.status
    return fate.status, fate.detail, [f"{version.place} {detail}" for version, detail in fate.overwritten]


def test_why_a_row_is_not_there_knows_what_a_destination_refused(site: Site) -> None:
    project = site.declare("{connector: crm, table: upsert, mode: merge, key: [id]}")
    site.drop("1", 1, 2)
    site.sink.refuses = lambda record: "no such owner" if record["id"] == 2 else None
    assert run(project, RunRequest("contacts")).status == "success"
    assert told(project, "id=1")[0] == "loaded"
    status, detail, others = told(project, "id=2")
    assert (status, others) == ("refused", [])
    assert detail.startswith("It would not take batch 1/1, row 1 of e000001/"), detail
    assert "no such owner" in detail
    assert detail.endswith("Mend it, then `pipelines dead-letters contacts --replay`.")
    site.sink.refuses = lambda _: None
    replay_dead_letters(project, "contacts")
    assert told(project, "id=2")[0] == "loaded", "taken at last"
    site.sink.refuses = lambda record: "too long" if record["name"] == "new" else None
    (site.root / "in" / "2.jsonl").write_text('{"id": 1, "at": 9, "name": "new"}\n{"id": 2, "at": 9, "name": "n2"}\n')
    run(project, RunRequest("contacts"))
    status, detail, _ = told(project, "id=1")
    assert (status, "too long" in detail) == ("refused", True)
    assert detail.endswith("It holds the version of batch 1/1."), detail
    assert told(project, "id=2")[0] == "loaded"


def test_an_api_that_is_down_is_caught_up_with(site: Site) -> None:
    project = site.declare("{connector: crm, table: one, mode: append}")
    site.drop("1", 1, 2, 3)
    site.sink.before.extend([Answer(status=503)] * 9)
    report = run(project, RunRequest("contacts"))
    assert (report.status, report.destinations["crm"].status) == ("partial", "failed")
    site.sink.before.clear()
    site.drop("2", 4, 5)
    report = run(project, RunRequest("contacts"))
    assert (report.status, report.destinations["crm"].rows) == ("success", 5), report.error
    assert site.sink.applied == {str(n): 1 for n in range(1, 6)}


def test_batches_that_a_crash_left_waiting_are_sent_one_by_one(site: Site) -> None:
    """Joined with what came later, rows of an earlier batch would get other keys."""
    project = site.declare("{connector: crm, table: upsert, mode: merge, key: [id]}")
    site.drop("1", 1, 2)
    site.sink.after.extend([Answer(status=500)] * 9)
    assert run(project, RunRequest("contacts")).status == "partial"
    site.sink.after.clear()
    site.drop("2", 2, 3)
    (site.root / "in" / "2.jsonl").write_text('{"id": 2, "at": 9, "name": "new"}\n')
    assert run(project, RunRequest("contacts")).status == "success"
    assert site.sink.stored["2"]["name"] == "new"
    assert site.sink.applied == {"1": 1, "2": 2}


@pytest.mark.parametrize("partitions", ["", "partitions: {by: value, field: region, values: [eu, us]}\n"])
def test_replace_is_refused_before_anything_runs(
    site: Site, capsys: pytest.CaptureFixture[str], partitions: str
) -> None:
    text = PIPELINE.replace("DESTINATION", "{connector: crm, table: one, mode: replace}") + partitions
    (site.root / "defs/contacts.yaml").write_text(text)
    assert execute(("check",)) == 2
    said = " ".join("".join(capsys.readouterr()).split())
    assert "Connector `crm` (type http) cannot load with mode replace. Allowed: append, delete, merge, update." in said
    assert site.sink.api.asked == []


def test_a_table_that_is_not_declared_is_named_before_anything_runs(site: Site) -> None:
    said = (
        r"contacts.yaml:5: Unknown table `upsrt` of connector `crm` \(type http\). Allowed: one, many, upsert. "
        r"Did you mean `upsert`\?"
    )
    with pytest.raises(SpecError, match=said):
        site.declare("{connector: crm, table: upsrt, mode: append}")


def test_refused_records_survive_a_death_before_they_are_written_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = site.declare("{connector: crm, table: one, mode: append}")
    site.drop("1", 1, 2, 3)
    site.sink.refuses = lambda record: "no" if record["id"] == 2 else None

    def die(*_: Any) -> None:
        message = "the machine is gone"
        raise OSError(message)

    with monkeypatch.context() as patch:
        patch.setattr(loading, "keep", die)
        assert run(project, RunRequest("contacts")).destinations["crm"].status == "failed"
    asked = len(site.sink.keys)
    report = run(project, RunRequest("contacts"))
    assert (report.status, report.rejected, report.destinations["crm"].rows) == ("success", 1, 2), report.error
    assert [letter["record"]["id"] for letter in dead_letters(project, "contacts")] == [2]
    assert len(site.sink.keys) == asked, "the journal knows every answer"


def test_on_error_stop_and_batch_size_are_those_of_the_pipeline(site: Site) -> None:
    project = site.declare("{connector: crm, table: many, mode: append, batch_size: 2, on_error: stop}")
    site.drop("1", *range(6))
    site.sink.refuses = lambda record: "no" if record["id"] == 2 else None
    report = run(project, RunRequest("contacts"))
    assert (report.status, dead_letters(project, "contacts")) == ("partial", [])
    assert "`many` refuses a record of contacts: no. Nothing more is sent" in str(report.error)
    site.sink.refuses = lambda _: None
    assert run(project, RunRequest("contacts")).destinations["crm"].rows == 6
    assert site.sink.applied == {str(n): 1 for n in range(6)}
    assert {len(asked.json()["inputs"]) for asked in site.sink.api.asked if asked.method == "POST"} <= {1, 2}
