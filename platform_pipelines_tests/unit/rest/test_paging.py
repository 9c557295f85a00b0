from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData
from platform_pipelines.model import Stream, Window
from platform_pipelines_tests.api_pages import Paged, rows
from platform_pipelines_tests.api_server import Answer, ApiServer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines_tests.unit.rest.conftest import Reader

STYLES = {
    "page": {"type": "page", "param": "page"},
    "page with total": {"type": "page", "total": "pages"},
    "page with size": {"type": "page", "size_param": "limit", "size": 7},
    "offset": {"type": "offset"},
    "offset with total": {"type": "offset", "limit": 7, "total": "total"},
    "cursor": {"type": "cursor", "param": "after", "path": "paging.next.after"},
    "cursor by JSONPath": {"type": "cursor", "param": "after", "path": "$.paging.next.after"},
    "next_link": {"type": "next_link", "path": "next"},
    "link_header": {"type": "link_header"},
    "none": {"type": "none"},
    "body": {"type": "cursor", "param": "paging.after", "path": "paging.next.after"},
}


def _path(style: str) -> dict[str, Any]:
    path = {"path": f"/paged/{style.split(maxsplit=1)[0]}", "records": "results"}
    return {**path, "method": "POST"} if style == "body" else path


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("count", [0, 34, 40])
def test_every_record_comes_once(api: ApiServer, read: Reader, style: str, count: int, concurrency: int) -> None:
    Paged(api, rows(count))
    found = read.rows(**_path(style), pagination=STYLES[style], top={"concurrency": concurrency})
    assert [row["id"] for row in found] == list(range(count))


@pytest.mark.parametrize(
    ("paging", "asked"),
    [
        ({"type": "page", "param": "paging.page", "size_param": "size", "size": 2}, {"paging": {"page": 2}, "size": 2}),
        ({"type": "offset", "limit": 2}, {"offset": 2, "limit": 2}),
        ({"type": "cursor", "param": "after", "path": "next"}, {"after": 17}),
    ],
)
def test_a_search_is_paged_in_its_body(
    api: ApiServer, read: Reader, paging: dict[str, Any], asked: dict[str, Any]
) -> None:
    at = "2026-01-02T00:00:00Z"
    api.queue(Answer(json={"data": [{"at": at}, {"at": at}], "next": 17}))
    api.serve("/s", Answer(json={"data": [], "next": None}))
    spec = {"method": "POST", "records": "data", "cursor": {"param": "since", "format": "epoch"}, "body": {"q": "x"}}
    window = Window("at", Cursor("timestamptz", "2026-01-01T00:00:00.5Z"))
    list(read.connector(**spec, pagination=paging).read(Stream("s"), window, None))
    assert api.asked[1].json() == {"q": "x", "since": 1_767_225_600, **asked}
    assert not api.asked[1].params
    api.queue(Answer(json={"data": [{"at": at}], "next": 17}))
    list(read.connector(**spec, pagination={**paging, "in": "query"}).read(Stream("s"), window, None))
    assert api.asked[-1].json() == {"q": "x", "since": 1_767_225_600}
    assert api.asked[-1].params


@pytest.mark.parametrize("style", ["cursor", "next_link", "link_header", "body"])
def test_every_page_is_asked_for_once_and_one_at_a_time(api: ApiServer, read: Reader, style: str) -> None:
    """Though the next one is asked for while this one is still being read."""
    paged, under_way, most = Paged(api, rows(95)), [0], [0]

    def answer(asked: Asked) -> Answer:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        found = paged.answer(asked)
        time.sleep(0.005)
        under_way[0] -= 1
        return found

    api.serve("/paged/*", answer)
    assert len(read.rows(**_path(style), pagination=STYLES[style])) == 95
    assert (len(api.asked), most[0]) == (10, 1)


def test_an_error_of_the_page_that_was_asked_for_early_comes_in_its_place(api: ApiServer, read: Reader) -> None:
    paged = Paged(api, rows(35))
    api.serve(
        "/paged/*", lambda asked: Answer(status=418) if asked.params.get("after") == "20" else paged.answer(asked)
    )
    pages = read.connector(**_path("cursor"), order="ascending", pagination=STYLES["cursor"])
    with pytest.raises(InvalidData, match=r"after=20 answered 418"):
        list(pages.read(Stream("s"), Window("at"), None))


@pytest.mark.parametrize("style", ["cursor", "next_link", "link_header", "none"])
@pytest.mark.parametrize("count", [1, 34])
def test_paging_is_found_out(api: ApiServer, read: Reader, style: str, count: int) -> None:
    Paged(api, rows(count))
    found = read.rows(path=f"/paged/{style}")
    assert [row["id"] for row in found] == list(range(count))


@pytest.mark.parametrize("outer", [None, "meta"])
def test_offsets_are_found_out_where_the_answer_says_its_own(api: ApiServer, read: Reader, outer: str | None) -> None:
    all_rows = rows(34)

    def answer(asked: Asked) -> Answer:
        at = int(asked.params.get("offset", 0))
        said = {"offset": at, "limit": 10, "total": 34}
        return Answer(json={"items": all_rows[at : at + 10], **({outer: said} if outer else said)})

    api.serve("/s", answer)
    assert len(read.rows()) == 34


def test_page_numbers_are_found_out_by_their_total(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(34), envelope={"total_pages": 4})
    assert len(read.rows(path="/paged/page")) == 34


@pytest.mark.parametrize(
    ("param", "step", "said"),
    [
        ("page", 1, lambda at: {"page": at, "totalPages": 4}),  # its first page is 0
        ("page", 1, lambda at: {"number": at, "totalPages": 4, "last": at == 3}),
        ("offset", 10, lambda at: {"offset": str(at), "limit": "10", "total": "34"}),
        ("$skip", 10, lambda at: {"@odata.nextLink": f"/s?$skip={at + 10}"} if at < 30 else {}),
    ],
)
def test_paging_is_found_out_by_what_answers_say_of_themselves(
    api: ApiServer, read: Reader, param: str, step: int, said: Callable[[int], dict[str, Any]]
) -> None:
    all_rows = rows(34)

    def answer(asked: Asked) -> Answer:
        at = int(asked.params.get(param, 0))
        start = at * 10 // step
        return Answer(json={"value": all_rows[start : start + 10], **said(at)})

    api.serve("/s", answer)
    assert [row["id"] for row in read.rows()] == list(range(34))


@pytest.mark.parametrize(
    ("said", "headers", "named"),
    [
        ({"total": "34"}, {}, "total"),
        ({"count": 34}, {}, "count"),
        ({"meta": {"totalElements": 34}}, {}, "meta.totalElements"),
        ({}, {"X-Total-Count": "34"}, "X-Total-Count"),
    ],
)
def test_an_answer_that_counts_more_than_came_is_an_error(
    api: ApiServer, read: Reader, said: dict[str, Any], headers: dict[str, str], named: str
) -> None:
    api.serve("/s", Answer(json={"value": rows(10), **said}, headers=headers))
    with pytest.raises(InvalidData, match=f"`{named}` says 34, and 10 records came"):
        read.rows()
    assert len(read.rows(pagination={"type": "none"})) == 10


@pytest.mark.parametrize("said", [{"meta": {"hasNextPage": True}}, {"last": False}, {"isLast": False}])
def test_an_answer_that_is_not_the_last_is_an_error(read: Reader, said: dict[str, Any]) -> None:
    read.answer({"value": [{"id": 1}], **said})
    with pytest.raises(InvalidData, match="says that there is more, but not where"):
        read.rows()


def test_the_same_values_under_other_names_are_no_page_that_was_there_before(read: Reader) -> None:
    read.answer({"data": [{"a": 1}], "next": "1"}, {"data": [{"b": 1}], "next": None})
    found = read.rows(records="data", pagination={"type": "cursor", "param": "c", "path": "next"})
    assert found == [{"a": 1, "b": None}, {"a": None, "b": 1}]


def test_an_answer_that_says_more_but_not_where_is_an_error(read: Reader) -> None:
    read.answer({"data": [{"id": 1}], "has_more": True})
    with pytest.raises(InvalidData, match="`has_more` says that there is more, but not where. Declare `pagination`"):
        read.rows()


def test_pages_known_ahead_are_asked_for_at_once(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(60))
    found = read.rows(**_path("page"), pagination=STYLES["page with total"], top={"concurrency": 4})
    assert [row["id"] for row in found] == list(range(60))
    assert sorted(int(asked.params["page"]) for asked in api.asked) == [1, 2, 3, 4, 5, 6]


def test_a_token_may_be_the_last_record(api: ApiServer, read: Reader) -> None:
    all_rows = rows(25)

    def answer(asked: Asked) -> Answer:
        start = int(asked.params.get("starting_after", -1)) + 1
        return Answer(json={"data": all_rows[start : start + 10], "has_more": start + 10 < 25})

    api.serve("/s", answer)
    for path in ("$.data[-1].id", "data.-1.id"):
        paging = {"type": "cursor", "param": "starting_after", "path": path, "has_more": "has_more"}
        assert len(read.rows(records="data", pagination=paging)) == 25


def test_more_without_a_token_is_an_error(read: Reader) -> None:
    read.answer({"data": [{"id": 1}], "more": True, "next": None})
    with pytest.raises(InvalidData, match="`more` says that there is more, but `next` is empty"):
        read.rows(pagination={"type": "cursor", "param": "c", "path": "next", "has_more": "more"})


CURSOR = {"type": "cursor", "param": "c", "path": "next"}


@pytest.mark.parametrize(
    "middle",
    [
        {"data": [], "next": "2"},
        {"data": None, "next": "2"},
        {"data": [None, None], "next": "2"},
        {"data": [{"id": None, "name": None}], "next": "2"},
        {"data": [{}], "next": "2"},
    ],
)
def test_a_page_without_values_is_not_the_end(read: Reader, middle: dict[str, Any]) -> None:
    read.answer({"data": [{"id": 1}], "next": "1"}, middle, {"data": [{"id": 2}], "next": None})
    found = read.rows(records="data", pagination=CURSOR)
    assert [row["id"] for row in found if row["id"] is not None] == [1, 2]


def test_pages_of_nulls_only_may_be_alike(read: Reader) -> None:
    nothing = {"data": [{"id": None}]}
    read.answer({**nothing, "next": "1"}, {**nothing, "next": "2"}, {"data": [{"id": 2}], "next": None})
    assert [row["id"] for row in read.rows(records="data", pagination=CURSOR)] == [None, None, 2]


@pytest.mark.parametrize("allowed", [1, 2])
def test_empty_pages_end_numbers_where_nothing_else_does(read: Reader, allowed: int) -> None:
    read.answer([{"id": 1}], [], [{"id": 2}], [])
    found = read.rows(pagination={"type": "page", "empty_pages": allowed, "size_change": "allow"})
    assert [row["id"] for row in found] == [1, 2][:allowed]


def test_an_empty_page_before_the_total_is_an_error(read: Reader) -> None:
    read.answer({"data": [{"id": 1}], "total": 3}, {"data": [], "total": 3})
    with pytest.raises(InvalidData, match="the page is empty, but 2 records are left"):
        read.rows(records="data", pagination={"type": "offset", "total": "total"})


def test_the_same_token_again_is_an_error(read: Reader) -> None:
    read.answer(
        {"data": [{"id": 1}], "next": "1"}, {"data": [{"id": 2}], "next": "2"}, {"data": [{"id": 3}], "next": "1"}
    )
    with pytest.raises(InvalidData, match="page 3 leads to a page that was there before .the same token."):
        read.rows(records="data", pagination=CURSOR)


def test_the_same_content_again_is_an_error(read: Reader) -> None:
    read.answer([{"id": 1}], [{"id": 2}], [{"id": 1}])
    with pytest.raises(InvalidData, match="page 3 of stream 's' holds the same records as page 1"):
        read.rows(pagination={"type": "page"})


def test_the_same_content_again_may_be_allowed(read: Reader) -> None:
    read.answer([{"id": 1}], [{"id": 1}], [])
    assert len(read.rows(pagination={"type": "page", "repeated": "allow"})) == 2


def test_more_pages_than_allowed_are_an_error(api: ApiServer, read: Reader) -> None:
    api.serve("/s", lambda asked: Answer(json={"data": [{"id": asked.params.get("c")}], "next": str(len(api.asked))}))
    with pytest.raises(InvalidData, match="has more than 5 pages"):
        read.rows(records="data", pagination={**CURSOR, "max_pages": 5})
    assert len(api.asked) == 5


@pytest.mark.parametrize(
    "pages", [[[1, 2], [3], [4, 5], []], [[1], [2, 3], []], [[1, 2, 3], [4, 5], [6, 7], []]], ids=str
)
def test_a_page_size_that_changes_is_an_error_for_numbers(read: Reader, pages: list[list[int]]) -> None:
    read.answer(*[[{"id": i} for i in page] for page in pages])
    with pytest.raises(InvalidData, match="the size of pages changed from"):
        read.rows(pagination={"type": "page"})


def test_more_pages_than_allowed_are_an_error_of_paging_that_was_found_out(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(95))
    with pytest.raises(InvalidData, match="has more than 5 pages"):
        read.rows(path="/paged/cursor", pagination={"type": "auto", "max_pages": 5})
    assert len(api.asked) == 5


def test_a_page_size_that_changes_may_be_allowed(read: Reader) -> None:
    read.answer([{"id": 1}, {"id": 2}], [{"id": 3}], [{"id": 4}, {"id": 5}], [])
    assert len(read.rows(pagination={"type": "page", "size_change": "allow"})) == 5


@pytest.mark.parametrize("concurrency", [1, 3])
def test_offsets_follow_what_came_when_the_page_size_changes(api: ApiServer, read: Reader, concurrency: int) -> None:
    paged = Paged(api, rows(50))

    def shrinking(asked: Asked) -> Answer:
        offset = int(asked.params["offset"])
        part = paged.records[offset : offset + (10 if offset < 20 else 6)]
        return Answer(json={"results": part, "total": 50})

    api.serve("/paged/*", shrinking)
    paging = {"type": "offset", "limit": 10, "total": "total"}
    found = read.rows(**_path("offset"), pagination=paging, top={"concurrency": concurrency})
    assert [row["id"] for row in found] == list(range(50))


@pytest.mark.parametrize(
    ("paging", "body", "said"),
    [
        (CURSOR, {"data": [], "next": {"a": 1}}, "`next` leads to dict, not to a token"),
        ({"type": "next_link", "path": "next"}, {"data": [], "next": 5}, "`next` leads to int, not to a URL"),
        ({"type": "page", "total": "n"}, {"data": [{"id": 1}], "n": "many"}, "leads to 'many', not to a number"),
    ],
)
def test_paging_that_is_not_as_declared_is_an_error(
    read: Reader, paging: dict[str, Any], body: dict[str, Any], said: str
) -> None:
    read.answer(body)
    with pytest.raises(InvalidData, match=said):
        read.rows(records="data", pagination=paging)


def test_a_link_to_another_host_is_not_followed(read: Reader) -> None:
    read.answer({"data": [{"id": 1}], "next": "http://other.example/s"})
    with pytest.raises(InvalidData, match="not of the origin of `base_url`"):
        read.rows()


def test_a_look_asks_for_no_more_than_it_needs(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(100))
    source = read.connector(**_path("cursor"))
    assert sum(b.num_rows for p in source.read(Stream("s", limit=15), Window(), None) for b in p.batches) == 20
    assert len(api.asked) == 2
