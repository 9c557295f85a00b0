from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import InvalidData, SchemaDrift, SpecError
from platform_pipelines.model import Window
from platform_pipelines.testing.rows import records
from platform_pipelines_tests.api_pages import Paged, rows
from platform_pipelines_tests.api_server import Answer, ApiServer

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.rest.conftest import Reader

SPEC: dict[str, Any] = {"path": "/paged/cursor", "order": "ascending", "cursor": {"param": "since"}}
WINDOW = Window("at")


def _ids(pages: list[Any]) -> list[int]:
    return [row["id"] for row in records(pages)]


def test_every_page_says_where_to_go_on(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(35))
    pages = read.pages(WINDOW, **SPEC)
    assert [page.resume["cursor"]["value"] for page in pages] == [
        f"2026-01-01T00:00:{second:02}Z" for second in (4, 9, 14, 17)
    ]
    assert [len(page.resume["seen"]) for page in pages] == [2, 2, 2, 1]


@pytest.mark.parametrize("size", [3, 5, 7, 10])
@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_read_goes_on_where_it_broke_off(api: ApiServer, read: Reader, size: int, done: int) -> None:
    """Pages that end in the middle of a cursor's records too."""
    Paged(api, rows(35), size=size)
    before = read.pages(WINDOW, **SPEC)[:done]
    place = json.loads(json.dumps(before[-1].resume))
    after = read.pages(WINDOW, place, **SPEC)
    assert _ids([*before, *after]) == list(range(35))
    assert api.asked[-1].params["since"] == place["cursor"]["value"]


def test_records_that_moved_behind_the_place_come_there(api: ApiServer, read: Reader) -> None:
    paged = Paged(api, rows(35))
    before = read.pages(WINDOW, **SPEC)[:1]
    moved = {**paged.records.pop(0), "at": "2026-01-01T00:05:00Z"}
    paged.records.append(moved)
    after = read.pages(WINDOW, before[-1].resume, **SPEC)
    assert _ids(after) == [*range(10, 35), 0]


def test_a_changed_record_at_the_place_comes_again(api: ApiServer, read: Reader) -> None:
    paged = Paged(api, rows(35))
    before = read.pages(WINDOW, **SPEC)[:1]
    paged.records[9]["name"] = "changed"
    assert _ids(read.pages(WINDOW, before[-1].resume, **SPEC))[:2] == [9, 10]


def test_without_a_cursor_or_a_declared_order_there_is_no_place(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(35))
    assert {page.resume for page in read.pages(Window(), **SPEC)} == {None}
    assert {page.resume for page in read.pages(WINDOW, **{**SPEC, "order": None})} == {None}


@pytest.mark.parametrize("places", [(3, 4), (12, 2)], ids=["within a page", "on another page"])
def test_an_order_that_is_not_kept_is_an_error(api: ApiServer, read: Reader, places: tuple[int, int]) -> None:
    paged = Paged(api, rows(35))
    one, other = places
    paged.records[one]["at"], paged.records[other + 20]["at"] = (
        paged.records[other + 20]["at"],
        paged.records[one]["at"],
    )
    with pytest.raises(InvalidData, match="is declared `order: ascending`, but `at` goes back"):
        read.pages(WINDOW, **SPEC)


def test_records_without_the_cursor_end_the_places(api: ApiServer, read: Reader) -> None:
    paged = Paged(api, rows(35))
    paged.records[15]["at"] = None
    pages = read.pages(WINDOW, **SPEC)
    assert [page.resume is None for page in pages] == [False, True, True, True]
    assert _ids(pages) == list(range(35))


def test_a_field_that_comes_after_the_first_pages_is_an_error_that_says_what_to_do(
    api: ApiServer, read: Reader
) -> None:
    paged = Paged(api, rows(60), size=2)
    paged.records[50]["late"] = 1
    with pytest.raises(SchemaDrift, match="the page has what the first 20 of this read had not: `late` int64"):
        read.pages(WINDOW, **SPEC)
    assert _ids(read.pages(WINDOW, **{**SPEC, "types": {"late": "bigint"}})) == list(range(60))


def test_a_field_of_the_first_pages_is_one_of_all(api: ApiServer, read: Reader) -> None:
    paged = Paged(api, rows(35))
    paged.records[30]["late"] = "x"
    pages = read.pages(WINDOW, **SPEC)
    assert {str(batch.schema) for page in pages for batch in page.batches} == {str(pages[0].batches[0].schema)}
    assert records(pages)[30]["late"] == "x"


def test_rejected_records_come_with_their_page(api: ApiServer, read: Reader) -> None:
    api.serve(
        "/s", Answer(json=[{"at": "2026-01-01T00:00:00Z", "x": "one"}, 5, {"at": "2026-01-01T00:00:01Z", "x": 2}])
    )
    pages = read.pages(WINDOW, order="ascending", types={"x": "int"}, pagination={"type": "none"})
    assert len(records(pages)) == 1
    assert len(pages[0].rejected) == 2


def test_a_window_is_kept(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(35))
    low, high = (Cursor("timestamptz", f"2026-01-01T00:00:{second:02}Z") for second in (5, 8))
    assert _ids(read.pages(Window("at", low, high), **SPEC)) == [10, 11, 12, 13, 14, 15]


def test_a_place_of_an_order_that_is_declared_no_more_is_an_error(api: ApiServer, read: Reader) -> None:
    Paged(api, rows(35))
    place = read.pages(WINDOW, **SPEC)[0].resume
    with pytest.raises(SpecError, match="Declare `order: ascending` until a run is through"):
        read.pages(WINDOW, place, **{**SPEC, "order": None})
