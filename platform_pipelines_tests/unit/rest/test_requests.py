from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from platform_pipelines.connectors.rest import RestConnector
from platform_pipelines.connectors.rest_request import written
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, SpecError
from platform_pipelines.model import Stream, Window
from platform_pipelines_tests.api_pages import Paged, rows
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.rest.conftest import Reader

LOW = Cursor("timestamptz", "2026-01-01T00:00:05Z")
INSTANT = Cursor("timestamptz", "2026-03-01T12:30:15.25Z")
WALL = Cursor("timestamp", "2026-03-01T12:30:15.25")


@pytest.mark.parametrize(
    ("cursor", "form", "down", "up"),
    [
        (INSTANT, "iso8601", "2026-03-01T12:30:15.25Z", "2026-03-01T12:30:15.25Z"),
        (WALL, "iso8601", "2026-03-01T12:30:15.25", "2026-03-01T12:30:15.25"),
        (INSTANT, "epoch", "1772368215", "1772368216"),
        (INSTANT, "epoch_ms", "1772368215250", "1772368215250"),
        (WALL, "epoch", "1772364615", "1772364616"),
        (INSTANT, "%Y-%m-%d", "2026-03-01", "2026-03-02"),
        (INSTANT, "%Y-%m-%d %H:%M", "2026-03-01 12:30", "2026-03-01 12:31"),
        (INSTANT, "%Y%m%dT%H%M%S", "20260301T123015", "20260301T123016"),
        (WALL, "%d/%m/%Y %H:%M:%S", "01/03/2026 12:30:15", "01/03/2026 12:30:16"),
        (Cursor("date", "2026-03-01"), "iso8601", "2026-03-01", "2026-03-01"),
        (Cursor("date", "2026-03-01"), "epoch", "1772319600", "1772319600"),
        (Cursor("int", "17"), "epoch", "17", "17"),
        (Cursor("string", "abc"), "iso8601", "abc", "abc"),
    ],
)
def test_bounds_are_written_so_that_nothing_is_left_out(cursor: Cursor, form: str, down: str, up: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert (written(cursor, form, zone, up=False), written(cursor, form, zone, up=True)) == (down, up)


def test_the_watermark_is_a_parameter(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(30))
    found = read.rows(Window("at", LOW), path="/paged/cursor", cursor={"param": "since"})
    assert [row["id"] for row in found] == list(range(10, 30))
    assert {asked.params["since"] for asked in api.asked} == {"2026-01-01T00:00:05Z"}


def test_the_upper_bound_is_a_parameter_too(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(30))
    high = Cursor("timestamptz", "2026-01-01T00:00:07Z")
    found = read.rows(Window("at", LOW, high), path="/paged/cursor", cursor={"param": "since", "until": "before"})
    assert [row["id"] for row in found] == [10, 11, 12, 13]
    assert api.asked[0].params["before"] == "2026-01-01T00:00:07Z"


def test_an_api_that_cannot_bound_is_bounded_here(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(30))
    assert [row["id"] for row in read.rows(Window("at", LOW), path="/paged/cursor")] == list(range(10, 30))


def test_placeholders_of_the_watermark_fill_a_search(api: ApiServer, read: Reader) -> None:
    api.serve("/s", Answer(json={"results": [{"at": "2026-02-01T00:00:00Z"}]}))
    search = {
        "method": "POST",
        "params": {"q": "from {cursor}"},
        "body": {
            "limit": 100,
            "since": "{cursor}",
            "filters": [{"field": "at", "op": ">=", "value": "{cursor}"}, {"field": "x", "op": "=", "value": 1}],
        },
    }
    read.rows(Window("at", LOW), **search)
    read.rows(Window("at"), **search)
    first, second = (asked.json() for asked in api.asked)
    assert first["filters"][0] == {"field": "at", "op": ">=", "value": "2026-01-01T00:00:05Z"}
    assert first["since"] == "2026-01-01T00:00:05Z"
    assert second == {"limit": 100, "filters": [{"field": "x", "op": "=", "value": 1}]}
    assert [asked.params for asked in api.asked] == [{"q": "from 2026-01-01T00:00:05Z"}, {}]


def test_lists_numbers_and_truths_are_parameters(api: ApiServer, read: Reader) -> None:
    seen: list[str] = []
    api.serve("/s", lambda asked: seen.append(str(asked.params)) or Answer(json=[]))
    read.rows(params={"fields": ["a", "b"], "limit": 5, "archived": False, "x": None}, headers={"X-Version": "7"})
    assert seen == ["{'fields': 'b', 'limit': '5', 'archived': 'false'}"]
    assert api.asked[0].headers["x-version"] == "7"


def test_a_pipeline_may_add_parameters_and_types(api: ApiServer, read: Reader) -> None:
    api.serve("/s", lambda asked: Answer(json=[{"id": 1, "team": asked.params.get("team")}]))
    options = {"params": {"team": "blue"}, "types": {"id": "varchar"}}
    pages = list(read.connector().read(Stream("s", options), Window(), None))
    assert pages[0].batches[0].to_pylist() == [{"id": "1", "team": "blue"}]
    with pytest.raises(SpecError, match="Write `params`, `types` and `values` as mappings"):
        list(read.connector().read(Stream("s", {"params": 5}), Window(), None))


COMPANIES = {"companies": {"path": "/companies"}}


def _children(api: ApiServer) -> None:
    api.serve("/companies", Answer(json=[{"id": "a/1", "owner": {"id": 7}}, {"id": "b", "owner": {"id": 8}}]))

    def child(asked: Asked) -> Answer:
        page = int(asked.params.get("page", 1))
        return Answer(json=[{"n": page, "path": asked.path}] if page <= 2 else [])

    api.serve("/companies/*", child)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_records_of_one_stream_feed_the_path_of_another(api: ApiServer, read: Reader, concurrency: int) -> None:
    _children(api)
    found = read.rows(
        path="/companies/{companies.id}/people",
        pagination={"type": "page"},
        top={"streams": COMPANIES, "concurrency": concurrency},
    )
    assert [(row["companies_id"], row["n"]) for row in found] == [("a/1", 1), ("a/1", 2), ("b", 1), ("b", 2)]
    assert found[0]["path"] == "/companies/a%2F1/people"


def test_nested_fields_of_a_parent_may_be_named_and_kept(api: ApiServer, read: Reader) -> None:
    _children(api)
    found = read.rows(
        path="/companies/x",
        params={"owner": "{companies.owner.id}"},
        include={"owner": "companies.owner.id", "company": "companies.id"},
        pagination={"type": "none"},
        top={"streams": COMPANIES},
    )
    assert [(row["owner"], row["company"]) for row in found] == [("7", "a/1"), ("8", "b")]


def test_grandchildren_are_read(api: ApiServer, read: Reader) -> None:
    _children(api)
    api.serve("/n/*", lambda asked: Answer(json=[{"deep": asked.path}]))
    top = {"streams": {**COMPANIES, "people": {"path": "/companies/{companies.id}", "pagination": {"type": "none"}}}}
    assert read.rows(path="/n/{people.n}", top=top) == [{"deep": "/n/1", "people_n": "1"}]


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_would_lead_elsewhere_is_an_error(api: ApiServer, read: Reader, value: str) -> None:
    api.serve("/companies", Answer(json=[{"id": value}]))
    with pytest.raises(InvalidData, match=f"a record of `companies` has '{value}' as `id`, which `s` needs"):
        read.rows(path="/companies/{companies.id}/people", top={"streams": COMPANIES})
    assert [each.path for each in api.asked] == ["/companies"]
    api.serve("/people", Answer(json=[{"n": 1}]))
    found = read.rows(path="/people", params={"company": "{companies.id}"}, top={"streams": COMPANIES})
    assert found == [{"n": 1, "companies_id": value}], "in a query it leads nowhere else"


def test_a_parent_without_the_field_is_an_error(api: ApiServer, read: Reader) -> None:
    api.serve("/companies", Answer(json=[{"key": 1}]))
    with pytest.raises(InvalidData, match="a record of `companies` has no `id`, which `s` needs"):
        read.rows(path="/companies/{companies.id}", top={"streams": COMPANIES})


def test_a_parent_that_is_gone_may_be_passed_over(api: ApiServer, read: Reader) -> None:
    api.serve("/companies", Answer(json=[{"id": 1}, {"id": 2}]))
    api.serve("/companies/2", Answer(json=[{"n": 1}]))
    spec: dict[str, Any] = {"path": "/companies/{companies.id}", "top": {"streams": COMPANIES}}
    assert read.rows(**spec, not_found="empty") == [{"n": 1, "companies_id": "2"}]
    with pytest.raises(InvalidData, match="/companies/1 answered 404"):
        read.rows(path="/companies/{companies.id}", top={"streams": COMPANIES})


def test_a_field_of_the_name_of_the_parents_column_is_an_error(api: ApiServer, read: Reader) -> None:
    api.serve("/companies", Answer(json=[{"id": 1}]))
    api.serve("/companies/1", Answer(json=[{"companies_id": 5}]))
    with pytest.raises(InvalidData, match="has the name of the column for `companies.id`"):
        read.rows(path="/companies/{companies.id}", top={"streams": COMPANIES})


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ({"a": {"path": "/{b.id}"}}, "names the parent `b`, which is no stream"),
        ({"a": {"path": "/{b.id}"}, "b": {"path": "/{a.id}"}}, "feed each other in a circle"),
        ({"a": {"path": "/{b.id}/{c.id}"}, "b": {"path": "/"}, "c": {"path": "/"}}, "a stream has one parent"),
        ({"a": {"path": "/", "body": {}}}, "`body` needs `method: POST`"),
        ({"a": {"path": "/", "pagination": {"type": "offset", "in": "body"}}}, "`in: body` needs `method: POST`"),
        ({"a": {"path": "/", "cursor": {"param": "x", "in": "body"}}}, "`in: body` needs `method: POST`"),
        ({"a": {"path": "/{b.id}", "order": "ascending"}, "b": {"path": "/"}}, "Leave `order` out"),
        ({"a": {"path": "/", "records": "a..b"}}, "is not a path"),
        ({"a": {"path": "/", "records": "$.a["}}, "is not a JSONPath"),
        ({"a": {"path": "/", "cursor": {"format": "rfc"}}}, "is not a format"),
        ({"a": {"path": "/", "include": {"x": "b.id"}}}, "write a field of the stream that a placeholder names"),
        ({"a": {"path": "/", "pagination": {"type": "pages"}}}, "pagination"),
        ({}, "at least 1"),
    ],
)
def test_streams_that_make_no_sense_are_refused(streams: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RestConnector.model_validate({"base_url": "https://api.example.com", "streams": streams})


def test_the_plan_shows_the_request_without_secrets(api: ApiServer, read: Reader) -> None:
    connector = read.connector(
        path="/companies/{companies.id}/s",
        params={"limit": 5, "api_key": "canary-31"},
        cursor={"param": "since"},
        top={"streams": COMPANIES, "auth": {"type": "api_key", "name": "key", "value": "canary-32", "in": "query"}},
    )
    query = connector.plan_read(Stream("s"), Window("at", LOW)).query
    assert query.startswith(f"GET {api.url}/companies/{{companies.id}}/s?limit=5&api_key=***&since=2026-01-01T00")
    assert "canary" not in query
    assert query.endswith("-- stream s, pagination auto, for each record of companies")
    assert not api.asked


def test_streams_are_listed_with_their_key(read: Reader) -> None:
    infos = read.connector(key=["id"], top={"streams": COMPANIES}).streams()
    assert [(info.name, info.key) for info in infos] == [("companies", ()), ("s", ("id",))]
