"""A pipeline from an API into DuckDB and Parquet: two runs by the command line, and runs killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from platform_pipelines_tests.api_pages import Paged, rows
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "canary-token-59"  # noqa: S105 - to look for in files
BEARER = '{type: bearer, token: "${env://API_TOKEN}"}'
CONNECTORS = """
api:
  type: rest
  base_url: ${env://API_URL}
  auth: {type: bearer, token: "${env://API_TOKEN}"}
  streams:
    contacts:
      path: /paged/cursor
      records: results
      pagination: {type: cursor, param: after, path: paging.next.after}
      cursor: {param: since}
      key: [id]
      ORDER
warehouse: {type: duckdb, path: out/warehouse.duckdb}
lake: {type: files, root: out/lake, format: parquet}
"""
PIPELINE = """
name: contacts
source: {connector: api, stream: contacts, mode: incremental, cursor: {field: at}, checkpoint_pages: 2}
destinations:
  - {connector: warehouse, table: raw.contacts, mode: merge, key: [id]}
  - {connector: lake, table: contacts, mode: append}
"""


@dataclass
class Site:
    """A project in a folder, run as a user would."""

    root: Path
    api: ApiServer
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def prepare(self, order: str, auth: str = BEARER) -> None:
        (self.root / "defs").mkdir(parents=True)
        text = CONNECTORS.replace("ORDER", order).replace(BEARER, auth)
        (self.root / "defs" / "connectors.yaml").write_text(text)
        (self.root / "defs" / "contacts.yaml").write_text(PIPELINE)

    def run(self) -> tuple[int, str, str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "platform_pipelines", "run", "contacts", "--json"],
            cwd=self.root,
            env=os.environ | {"PIPELINES_DEFS": "defs", "API_URL": self.api.url, "API_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def report(self) -> dict[str, Any]:
        code, out, err = self.run()
        assert code == 0, out + err
        found: dict[str, Any] = json.loads(out)
        return found

    def contents(self, table: str) -> list[tuple[int, str]]:
        with duckdb.connect(self.root / "out" / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(f"select id, name from {table} order by all").fetchall()

    def lake(self) -> list[tuple[int, str]]:
        return self.contents(f"read_parquet('{self.root}/out/lake/contacts/*.parquet')")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ApiServer() as api:
        yield Site(tmp_path, api)


def _pairs(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return sorted((record["id"], record["name"]) for record in records)


@pytest.mark.parametrize("order", ["", "order: ascending"])
def test_two_runs_bring_what_is_new_and_nothing_twice(site: Site, order: str) -> None:
    site.prepare(order)
    paged = Paged(site.api, rows(55))
    first = site.report()
    assert (first["status"], first["rows"]["read"]) == ("success", 55)
    assert first["watermark"]["to"] == "2026-01-01T00:00:27Z"
    fresh = rows(63)[54:]
    paged.records = [
        *paged.records[1:55],
        *fresh[1:],
        {**paged.records[0], "at": "2026-01-02T00:00:00Z", "name": "new"},
    ]
    second = site.report()
    assert second["rows"]["loaded"] == {"warehouse": 9, "lake": 9}
    assert second["rows"]["deduplicated"] == 1
    assert site.contents("raw.contacts") == _pairs(paged.records)
    assert site.lake() == sorted([*_pairs(rows(63)), (0, "new")])
    assert site.report()["status"] == "nothing_new"
    assert {asked.headers["authorization"] for asked in site.api.asked} == {f"Bearer {TOKEN}"}
    assert not _files_with(site.root, TOKEN)


def _files_with(root: Path, text: str) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.parametrize("order", ["", "order: ascending"])
def test_killed_on_the_way_equals_one_clean_run(site: Site, order: str) -> None:
    """The reader is killed by the API, while it waits for a page."""
    site.prepare(order)
    paged = Paged(site.api, rows(200), size=2)
    deadly = [28, 45, 1_000]

    def answer(asked: Asked) -> Answer:
        deadly[0] -= 1
        if deadly[0] == 0:
            deadly.pop(0)
            os.killpg(site.started[-1].pid, signal.SIGKILL)
        return paged.answer(asked)

    site.api.serve("/paged/*", answer)
    for _ in range(2):
        assert site.run()[0] == -signal.SIGKILL
    asked_before = len(site.api.asked)
    site.report()
    assert site.contents("raw.contacts") == site.lake() == _pairs(rows(200))
    asked = site.api.asked[asked_before:]
    assert ("since" in asked[0].params) == bool(order), "a read in order goes on where it broke off"
    assert len(asked) < 75 if order else len(asked) == 100
    assert site.report()["status"] == "nothing_new"


CONSENT = (
    '{type: oauth2_refresh_token, token_url: "${env://API_URL}/token", client_id: me, '
    'client_secret: "${env://API_TOKEN}", refresh_token: once-canary-0}'
)


def test_a_refresh_token_that_is_good_once_serves_one_process_after_the_other(site: Site) -> None:
    site.prepare("", CONSENT)
    paged, good = Paged(site.api, rows(25)), [0]

    def token(asked: Asked) -> Answer:
        if asked.form()["refresh_token"] != f"once-canary-{good[0]}":
            return Answer(status=400, json={"error": "invalid_grant"})
        good[0] += 1
        answer = {"access_token": f"short-canary-{good[0]}", "refresh_token": f"once-canary-{good[0]}", "expires_in": 0}
        return Answer(json=answer)

    def contacts(asked: Asked) -> Answer:
        allowed = asked.headers.get("authorization", "").startswith("Bearer short-canary-")
        return paged.answer(asked) if allowed else Answer(status=401)

    site.api.serve("/token", token)
    site.api.serve("/paged/*", contacts)
    assert site.report()["rows"]["read"] == 25
    assert site.report()["status"] == "nothing_new"
    assert good[0] >= 2
    kept = _files_with(site.root, f"once-canary-{good[0]}")
    assert [path.parent.name for path in kept] == ["tokens"]
    assert kept[0].stat().st_mode & 0o777 == 0o600
    assert not _files_with(site.root, TOKEN)


def test_refused_credentials_end_with_the_exit_code_of_a_connection_and_no_secret(site: Site) -> None:
    site.prepare("")
    site.api.serve("/paged/*", lambda asked: Answer(status=401, json={"message": asked.headers["authorization"]}))
    code, out, err = site.run()
    assert code == 4
    assert "credentials are refused" in out + err
    assert TOKEN not in out + err
    assert not _files_with(site.root, TOKEN)
