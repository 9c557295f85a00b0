from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import ConnectError, InvalidData, PipelinesError
from platform_pipelines.model import Stream, Window
from platform_pipelines_tests.api_server import Answer, ApiServer

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.rest.conftest import Reader


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"data": [{"id": 1}, {"id"', "JSON that is cut off or malformed"),
        (b'[{"id": 1}', "JSON that is cut off or malformed"),
        (b"<!doctype html><title>Sign in</title>", "HTML or XML"),
        (b"", "an empty body"),
        (b"maintenance", "something that is no JSON"),
    ],
)
@pytest.mark.parametrize("records", ["data", None, "$.data"])
def test_what_is_no_json_is_told_for_what_it_is(
    api: ApiServer, read: Reader, body: bytes, said: str, records: str | None
) -> None:
    api.serve("/s", Answer(content=body))
    with pytest.raises(InvalidData, match=said) as caught:
        read.rows(records=records)
    assert f"GET {api.url}/s answered 200" in str(caught.value)


def test_a_body_that_breaks_off_on_the_wire_is_asked_for_again(api: ApiServer, read: Reader) -> None:
    api.queue(Answer(content=b'{"data": [', fault="cut"))
    read.answer({"data": [{"id": 1}]})
    assert read.rows() == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "quota used up"}, "with an error in its body"),
        ({"error": {"code": 17}, "data": []}, "with an error in its body"),
        ({"errors": [{"detail": "no"}], "data": None}, "with an error in its body"),
        ({"message": "quota used up"}, "`data` leads to nothing"),
        ({"data": "x"}, "`data` leads to str, which is no array"),
    ],
)
def test_an_error_of_status_200_is_an_error(read: Reader, body: dict[str, Any], said: str) -> None:
    read.answer(body)
    with pytest.raises(InvalidData, match=said):
        read.rows(records="data")


@pytest.mark.parametrize("body", [{"message": "quota used up"}, {"data": "x"}, {"data": 5}, ["x"]])
def test_a_jsonpath_of_elements_hides_no_error(read: Reader, body: Any) -> None:
    read.answer(body)
    with pytest.raises(InvalidData, match=r"`\$.data\[\*\]` leads to nothing"):
        read.rows(records="$.data[*]")
    assert read.rows(records="$.data[*]", empty_when_missing=True) == []


@pytest.mark.parametrize("records", ["data", "$.data", "$.data[*]"])
@pytest.mark.parametrize("data", [None, []])
def test_null_and_empty_are_an_empty_page(read: Reader, records: str, data: Any) -> None:
    read.answer({"data": data})
    assert read.rows(records=records) == []


ERROR = {"path": "ok", "ok": [True], "message": "why", "retry": ["busy"]}


def test_errors_are_told_as_declared(read: Reader) -> None:
    read.answer({"ok": False, "why": "no such team", "data": [{"id": 1}]})
    with pytest.raises(InvalidData, match=r"ok = False\): no such team."):
        read.rows(records="data", error=ERROR)


def test_an_error_that_may_pass_is_tried_again(api: ApiServer, read: Reader) -> None:
    api.queue(Answer(json={"ok": "busy"}))
    read.answer({"ok": True, "data": [{"id": 1}]})
    assert read.rows(records="data", error=ERROR) == [{"id": 1}]
    api.queue(*[Answer(json={"ok": "busy"})] * 5)
    with pytest.raises(ConnectError, match="answered with the error 'busy'. Given up after 3 tries"):
        read.rows(records="data", error=ERROR)


@pytest.mark.parametrize("value", [None, False, "", 0, []])
def test_without_a_list_any_filled_value_is_an_error(read: Reader, value: object) -> None:
    read.answer({"problem": value, "data": [{"id": 1}]})
    assert read.rows(records="data", error={"path": "problem"}) == [{"id": 1}]
    read.answer({"problem": "yes", "data": [{"id": 1}]})
    with pytest.raises(InvalidData, match="problem = 'yes'"):
        read.rows(records="data", error={"path": "problem"})


def test_a_missing_array_may_be_an_empty_page(read: Reader) -> None:
    read.answer({"kind": "list"})
    assert read.rows(records="data", empty_when_missing=True) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([{"id": 1}], [{"id": 1}]),
        ({"data": [{"id": 1}], "tags": ["a"]}, [{"id": 1}]),
        ({"tickets": [{"id": 1}], "meta": {}}, [{"id": 1}]),
        ({"tickets": [{"id": 1}], "tags": ["a"]}, [{"id": 1}]),
    ],
)
def test_records_are_found(read: Reader, body: Any, expected: list[dict[str, Any]]) -> None:
    read.answer(body)
    assert read.rows() == expected


@pytest.mark.parametrize("body", [{"id": 1}, {"a": [{"id": 1}], "b": [{"id": 2}]}, 5])
def test_records_that_cannot_be_found_are_an_error(read: Reader, body: Any) -> None:
    read.answer(body)
    with pytest.raises(InvalidData, match="Say where the records are: `records: PATH`"):
        read.rows()


@pytest.mark.parametrize("path", ["a.b", "$.a.b", "$['a']['b'][*]", "a.b.-1"])
def test_records_are_under_a_path(read: Reader, path: str) -> None:
    read.answer({"x": [1], "a": {"b": [{"id": 1}]}, "y": [2]})
    assert read.rows(records=path) == [{"id": 1}]


def test_a_filter_chooses_records(read: Reader) -> None:
    read.answer({"a": [{"id": 1, "kind": "x"}, {"id": 2, "kind": "y"}]})
    assert read.rows(records="$.a[?@.kind == 'y']") == [{"id": 2, "kind": "y"}]


def test_elements_that_are_no_objects_are_rejected(read: Reader) -> None:
    read.answer({"data": [{"id": 1}, 5, "x", None, [1]]})
    pages = read.pages(records="data")
    assert [each.record for page in pages for each in page.rejected] == ["5", '"x"', "null", "[1]"]
    assert all("/s: The record is not an object." in each.reason for page in pages for each in page.rejected)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_errors_name_the_request(api: ApiServer, read: Reader, status: int) -> None:
    api.serve("/s", Answer(status=status, json={"message": "because"}))
    with pytest.raises(PipelinesError, match=f"GET {api.url}/s answered {status}"):
        read.rows()


def test_404_may_mean_that_there_is_nothing(api: ApiServer, read: Reader) -> None:
    api.serve("/s", Answer(status=404))
    assert read.rows(not_found="empty") == []


@pytest.mark.parametrize("first", [Answer(status=204), Answer(json=[{"id": 1}])])
def test_204_means_that_there_is_nothing(api: ApiServer, read: Reader, first: Answer) -> None:
    api.queue(first)
    api.serve("/s", Answer(status=204))
    assert len(read.rows(pagination={"type": "page"})) == (first.status == 200)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"total": 250, "items": [{"id": 1}, {"id": 2}]}, "`total` says 250, and 2 records came; nothing says where"),
        (
            {"meta": {"total_count": 3}, "items": [{"id": 1}, {"id": 2}]},
            "`meta.total_count` says 3, and 2 records came",
        ),
        ([{"id": 1}, {"id": 2}], r"as many records came as were asked for \(`per_page=2`\)"),
    ],
)
def test_an_answer_that_may_not_be_all_is_an_error_where_paging_is_not_declared(
    read: Reader, body: Any, said: str
) -> None:
    read.answer(body)
    with pytest.raises(InvalidData, match=said):
        read.rows(params={"per_page": 2})
    assert len(read.rows(params={"per_page": 2}, pagination={"type": "none"})) == 2


def test_a_record_with_an_empty_key_is_rejected(read: Reader) -> None:
    read.answer([{"": 1, "a": 2}, {"a": 3}])
    pages = read.pages(pagination={"type": "none"})
    assert [row for page in pages for batch in page.batches for row in batch.to_pylist()] == [{"a": 3}]
    assert "A key of the record is empty" in pages[0].rejected[0].reason


def test_explode_makes_a_row_of_each_element(read: Reader) -> None:
    read.answer([{"id": 1, "items": [{"sku": "a"}, {"sku": "b"}]}, {"id": 2, "items": []}, {"id": 3}])
    found = read.rows(explode="items", nested="struct")
    assert found == [
        {"id": 1, "items": {"sku": "a"}},
        {"id": 1, "items": {"sku": "b"}},
        {"id": 2, "items": None},
        {"id": 3, "items": None},
    ]


def test_a_field_to_explode_that_never_occurs_is_warned_about(read: Reader, caplog: pytest.LogCaptureFixture) -> None:
    read.answer({"data": [{"id": 1, "items": []}], "next_cursor": "x"}, {"data": [{"id": 2}], "next_cursor": None})
    paged = {"records": "data", "pagination": {"type": "cursor", "param": "after", "path": "next_cursor"}}
    read.rows(explode="items", **paged)
    assert caplog.messages == []
    read.answer({"data": [{"id": 1, "items": []}], "next_cursor": "x"}, {"data": [{"id": 2}], "next_cursor": None})
    assert [row["id"] for row in read.rows(explode="item", **paged)] == [1, 2]
    (message,) = caplog.messages
    assert message == (
        "No record of `s` has the field `item` that `explode` names (2 records): each became one row. "
        "Fields: id, items. Did you mean `items`?"
    )
    read.answer([])
    caplog.clear()
    read.rows(explode="item")
    assert caplog.messages == []


def test_offsets_count_records_not_what_they_explode_to(api: ApiServer, read: Reader) -> None:
    def answer(asked: Any) -> Answer:
        at = int(asked.params["offset"])
        return Answer(json=[{"id": i, "tags": ["a", "b"]} for i in range(at, min(at + 2, 5))])

    api.serve("/s", answer)
    found = read.rows(explode="tags", pagination={"type": "offset"})
    assert [(row["id"], row["tags"]) for row in found] == [(i, tag) for i in range(5) for tag in ("a", "b")]


def test_check_asks_once_and_reports_refused_credentials(api: ApiServer, read: Reader) -> None:
    read.answer({"data": [{"id": 1}], "next_cursor": "x"})
    read.connector().check()
    assert len(api.asked) == 1
    api.serve("/s", Answer(status=401))
    with pytest.raises(ConnectError, match="credentials are refused"):
        read.connector().check()


def test_a_missing_stream_is_named_with_the_nearest(read: Reader) -> None:
    with pytest.raises(InvalidData, match="Stream 'S' is not declared in this connector. Streams: s."):
        list(read.connector().read(Stream("S"), Window(), None))
