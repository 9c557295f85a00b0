from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.hubspot import HubSpotConnector
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.model import Stream, Window
from platform_pipelines.testing.rows import records
from platform_pipelines_tests.hubspot_server import HubSpot, person
from platform_pipelines_tests.unit.rest.conftest import QUICK

if TYPE_CHECKING:
    from platform_pipelines_tests.api_server import ApiServer


def _hubspot(api: ApiServer, **values: Any) -> HubSpotConnector:
    keys = {"auth": {"type": "bearer", "token": "pat-1234"}, "retries": {**QUICK, "max": 9}, "rate_limit": "9999/s"}
    return HubSpotConnector.model_validate({"base_url": api.url, "values": values, **keys})


def _since(second: int) -> Window:
    return Window("updatedAt", Cursor("timestamptz", f"2026-01-01T00:00:{second:02}Z"))


def _read(source: HubSpotConnector, stream: str, window: Window, **options: Any) -> list[dict[str, Any]]:
    return records(list(source.read(Stream(stream, options), window, None)))


def test_a_whole_read_lists_with_all_properties(api: ApiServer) -> None:
    HubSpot(api, {"contacts": [person(i, i) for i in range(1, 251)]})
    found = _read(_hubspot(api), "contacts", Window())
    assert [row["id"] for row in found] == [str(i) for i in range(1, 251)]
    names = {"email", "firstname", "createdate", "lastmodifieddate", "hs_lastmodifieddate"}
    assert json.loads(found[0]["properties"]).keys() == names
    assert api.count("/crm/v3/objects/contacts") == 3
    assert {asked.headers["authorization"] for asked in api.asked} == {"Bearer pat-1234"}


@pytest.mark.parametrize(("stream", "changed"), [("contacts", "lastmodifieddate"), ("2-1234", "hs_lastmodifieddate")])
def test_what_changed_is_searched_for_by_the_objects_own_date(api: ApiServer, stream: str, changed: str) -> None:
    HubSpot(api, {stream: [person(i, i % 50) for i in range(1, 251)]})
    found = _read(_hubspot(api, properties=["email"]), stream, _since(40))
    assert [int(row["id"]) for row in found] == [i for i in range(1, 251) if i % 50 >= 40]
    assert json.loads(found[0]["properties"]) == {"email": "p40@example.com"}
    filters = api.asked[0].json()["filterGroups"][0]["filters"]
    assert filters[1] == {"propertyName": changed, "operator": "GTE", "value": "1767225640000"}


def test_more_than_ten_thousand_changes_are_read_whole(api: ApiServer) -> None:
    """Ten thousand of one moment too: an import changes all at once."""
    HubSpot(api, {"deals": [person(i, 30) for i in range(1, 10_251)]}, searches_a_second=10_000)
    found = _read(_hubspot(api, properties=["email"]), "deals", _since(30))
    assert [int(row["id"]) for row in found] == list(range(1, 10_251))
    assert len(api.asked) == 52


def test_too_many_searches_a_second_are_waited_for(api: ApiServer) -> None:
    tickets = [person(i, i % 9) for i in range(1, 1_301)]
    HubSpot(api, {"tickets": tickets}, searches_a_second=10_000, too_many=frozenset({2, 3, 6}))
    source = _hubspot(api, properties=["email"]).model_copy(update={"rate_limit": None})
    assert len(_read(source, "tickets", _since(0))) == 1_300
    assert len(api.asked) == 7 + 3


def test_associations_are_refused_where_only_changes_are_read(api: ApiServer) -> None:
    """At the first run, too: the second one could not bring them, and would lack the column."""
    HubSpot(api, {"contacts": [person(1, 1)]})
    for window in (Window("updatedAt"), _since(0)):
        with pytest.raises(SpecError, match="The value `associations` is for whole reads of stream 'contacts'"):
            _read(_hubspot(api, associations=["companies"], properties=["email"]), "contacts", window)
    assert api.asked == []
    found = _read(_hubspot(api, associations=["companies"]), "contacts", _since(0), values={"associations": []})
    assert [row["id"] for row in found] == ["1"]


def test_associations_come_with_whole_reads(api: ApiServer) -> None:
    account = HubSpot(api, {"contacts": [person(1, 1), person(2, 2)]})
    account.associations = {"companies": {"1": ["71", "72"], "2": []}}
    found = _read(_hubspot(api), "contacts", Window(), values={"associations": ["companies"], "properties": ["email"]})
    assert [json.loads(row["associations"])["companies"]["results"] for row in found] == [
        [{"id": "71", "type": "contacts_to_companies"}, {"id": "72", "type": "contacts_to_companies"}],
        [],
    ]


def test_owners_are_listed_and_bounded_here(api: ApiServer) -> None:
    HubSpot(api, {})
    assert [row["id"] for row in _read(_hubspot(api), "owners", Window())] == ["7"]
    assert _read(_hubspot(api), "owners", _since(6)) == []


def test_the_offered_streams_are_named_and_any_other_is_asked_for(api: ApiServer) -> None:
    HubSpot(api, {"line_items": [person(1, 1)]})
    source = _hubspot(api, properties=["email"])
    assert [info.name for info in source.streams()] == ["companies", "contacts", "deals", "owners", "tickets"]
    assert len(_read(source, "line_items", Window())) == 1


def test_an_object_that_is_none_is_named(api: ApiServer) -> None:
    with pytest.raises(InvalidData, match="/crm/v3/properties/contcts answered 404"):
        _read(_hubspot(api), "contcts", Window())
