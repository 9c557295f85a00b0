"""HubSpot's contacts into DuckDB: listed by the first run, searched for by the second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from platform_pipelines.cli.main import execute
from platform_pipelines_tests.api_server import ApiServer
from platform_pipelines_tests.hubspot_server import HubSpot, person

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONNECTORS = """
crm: {type: hubspot, base_url: URL, auth: {type: bearer, token: "${env://HUBSPOT_TOKEN}"}, values: {properties: [email, phone]}}
warehouse: {type: duckdb, path: warehouse.duckdb}
"""
PIPELINE = """
name: contacts
source: {connector: crm, stream: contacts, mode: incremental, cursor: {field: updatedAt, lag: 5s}}
transforms:
  - map: {id: id, email: {from: properties.email, convert: lower}, phone: properties.phone, changed: updatedAt}
destinations:
  - {connector: warehouse, table: raw.contacts, mode: merge, key: [id]}
"""


def test_contacts_arrive_and_their_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINES_DEFS", "defs")
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-canary-81")

    def run() -> dict[str, Any]:
        assert execute(["run", "contacts", "--json"]) == 0
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    def rows() -> list[tuple[Any, ...]]:
        with duckdb.connect("warehouse.duckdb", read_only=True) as connection:
            query = "select id, email, phone from raw.contacts order by id::int"
            return connection.execute(query).fetchall()

    with ApiServer() as api:
        account = HubSpot(api, {"contacts": [person(i, i) for i in range(1, 121)]})
        (tmp_path / "defs").mkdir()
        (tmp_path / "defs/connectors.yaml").write_text(CONNECTORS.replace("URL", api.url))
        (tmp_path / "defs/contacts.yaml").write_text(PIPELINE)
        assert execute(["check"]) == 0
        capsys.readouterr()
        assert run()["rows"]["read"] == 120
        assert {asked.method for asked in api.asked} == {"GET"}
        account.objects["contacts"][4] = person(5, 300, email="NEW@example.com", phone="+49 30 1")
        account.objects["contacts"].append(person(121, 301))
        second = run()
        assert {asked.path for asked in api.asked if asked.method == "POST"} == {"/crm/v3/objects/contacts/search"}
        assert second["rows"]["loaded"] == {"warehouse": 2}
        assert second["rows"]["deduplicated"] == 6
        assert run()["status"] == "nothing_new"
    found = rows()
    assert len(found) == 121
    assert found[4] == ("5", "new@example.com", "+49 30 1")
    assert found[5] == ("6", "p6@example.com", None)
