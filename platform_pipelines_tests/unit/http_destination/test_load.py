from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.http import HttpConnector
from platform_pipelines.errors import ConnectError, InvalidData, SpecError
from platform_pipelines.model import Feed, Offset
from platform_pipelines_tests.api_server import Answer
from platform_pipelines_tests.api_sink import KEY, Sink

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.http_destination.conftest import Writer

BATCH = {
    "path": "/batch",
    "method": "POST",
    "batch": {"body": {"inputs": "{records}"}},
    "results": {"path": "results", "ok": "ok", "error": "error.text"},
}
STRICT = {"path": "/strict", "method": "POST", "batch": {}}


def people(*ids: int, **values: Any) -> pa.Table:
    return pa.table(
        {"id": [*ids], "name": [f"n{each}" for each in ids], **{k: [v] * len(ids) for k, v in values.items()}}
    )


def refused(table: pa.Table | None) -> list[tuple[Any, str]]:
    return [] if table is None else [(row["id"], row["_pipelines_reason"]) for row in table.to_pylist()]


def test_each_row_is_a_request_with_a_key(writer: Writer, sink: Sink) -> None:
    receipt = writer.load(writer.connector(), people(1, 2, 3))
    assert (receipt.staged, receipt.loaded, receipt.rejected) == (3, 3, 0)
    assert sink.stored == {str(n): {"id": n, "name": f"n{n}"} for n in (1, 2, 3)}
    assert len(set(sink.keys)) == 3


@pytest.mark.parametrize(
    ("mode", "method"), [("append", "POST"), ("merge", "PUT"), ("update", "PATCH"), ("delete", "DELETE")]
)
def test_the_mode_says_the_method(writer: Writer, sink: Sink, mode: str, method: str) -> None:
    sink.stored["1"] = {"id": 1}
    receipt = writer.load(writer.connector(path="/contacts/{id}"), people(1), mode=mode)
    assert receipt.loaded == 1
    (asked,) = sink.api.asked
    assert (asked.method, asked.path) == (method, "/contacts/1")
    assert asked.body == b"" if mode == "delete" else asked.json() == {"id": 1, "name": "n1"}


@pytest.mark.parametrize("mode", ["update", "delete"])
def test_what_is_not_there_is_superseded(writer: Writer, mode: str) -> None:
    receipt = writer.load(writer.connector(path="/contacts/{id}"), people(9), mode=mode)
    assert (receipt.staged, receipt.loaded, receipt.superseded, receipt.rejected) == (1, 0, 1, 0)


def test_a_template_makes_the_body(writer: Writer, sink: Sink) -> None:
    rows = pa.table(
        {
            "id": [7],
            "price": pa.array([Decimal("12345678901234567890.10")]),
            "at": pa.array([dt.datetime(2026, 1, 1, 0, 0, 0, 1, dt.UTC)], pa.timestamp("us", "UTC")),
            "day": [dt.date(2026, 1, 2)],
            "tags": [["a", None]],
            "doc": ['{"deep": 1.10}'],
            "raw": [b"\x00\xff"],
            "none": pa.array([None], pa.string()),
        }
    )
    body = {
        "id": "{id}",
        "said": "no {id} at {day}, {{braces}}",
        "properties": {
            "price": "{price}",
            "shown": "{price:text}",
            "at": "{at}",
            "tags": "{tags}",
            "doc": "{doc:json}",
        },
        "raw": "{raw}",
        "none": "{none}",
        "fixed": 5,
        "key": "{_idempotency_key}",
    }
    writer.load(writer.connector(body=body), rows)
    (asked,) = sink.api.asked
    found = json.loads(asked.body, parse_float=Decimal)
    assert found == {
        "id": 7,
        "said": "no 7 at 2026-01-02, {braces}",
        "properties": {
            "price": Decimal("12345678901234567890.10"),
            "shown": "12345678901234567890.10",
            "at": "2026-01-01T00:00:00.000001Z",
            "tags": ["a", None],
            "doc": {"deep": Decimal("1.10")},
        },
        "raw": "AP8=",
        "none": None,
        "fixed": 5,
        "key": asked.headers[KEY],
    }


def test_nulls_may_be_left_out(writer: Writer, sink: Sink) -> None:
    rows = pa.table({"id": [1], "name": pa.array([None], pa.string())})
    writer.load(writer.connector(omit_nulls=True), rows)
    assert sink.stored == {"1": {"id": 1}}


def test_bookkeeping_columns_stay_here(writer: Writer, sink: Sink) -> None:
    writer.load(writer.connector(), people(1, _pipelines_cursor=3))
    assert sink.stored == {"1": {"id": 1, "name": "n1"}}


@pytest.mark.parametrize(
    "fault", [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503), Answer(fault="reset")]
)
def test_a_passing_fault_passes(writer: Writer, sink: Sink, fault: Answer) -> None:
    sink.before.append(fault)
    assert writer.load(writer.connector(), people(1, 2)).loaded == 2
    assert sink.applied == {"1": 1, "2": 1}


@pytest.mark.parametrize(
    "fault", [Answer(status=500), Answer(fault="close"), Answer(fault="reset"), Answer(fault="cut")]
)
def test_a_fault_after_the_work_was_done_doubles_nothing(writer: Writer, sink: Sink, fault: Answer) -> None:
    sink.after.append(fault)
    assert writer.load(writer.connector(), people(1, 2)).loaded == 2
    assert sink.applied == {"1": 1, "2": 1}
    assert sink.keys[0] == sink.keys[1]


def test_without_keys_a_request_that_may_have_been_done_is_not_repeated(writer: Writer, sink: Sink) -> None:
    sink.after.append(Answer(fault="close"))
    with pytest.raises(ConnectError, match="It may have been carried out, so it is not sent a second time"):
        writer.load(writer.connector(idempotency="none"), people(1, 2))
    assert (sink.applied, sink.keys) == ({"1": 1}, [])


def test_refused_records_come_back_with_their_reason(writer: Writer, sink: Sink) -> None:
    sink.refuses = lambda record: "no such name" if record["name"] == "n2" else None
    receipt = writer.load(writer.connector(), people(1, 2, 3))
    assert (receipt.staged, receipt.loaded, receipt.rejected) == (3, 2, 1)
    assert refused(receipt.refused) == [(2, '422: {"error": "no such name"}')]
    assert receipt.refused is not None
    assert receipt.refused.column_names == ["id", "name", "_pipelines_reason"]


def test_on_error_stop_sends_no_more_and_goes_on_there(writer: Writer, sink: Sink) -> None:
    sink.refuses = lambda record: "no such name" if record["name"] == "n2" else None
    with pytest.raises(InvalidData, match=r"`t` refuses a record of p: 422: .*no such name.*`on_error` is stop"):
        writer.load(writer.connector(), people(1, 2, 3), on_error="stop")
    assert set(sink.applied) <= {"1", "3"}
    sink.refuses = lambda _: None
    assert writer.load(writer.connector(), people(1, 2, 3), again=True, on_error="stop").loaded == 3
    assert sink.applied == {"1": 1, "2": 1, "3": 1}


def test_batches_tell_of_each_record(writer: Writer, sink: Sink) -> None:
    sink.refuses = lambda record: "odd" if record["id"] % 2 else None
    receipt = writer.load(writer.connector(**BATCH), people(*range(10)), batch_size=4)
    assert [len(asked.json()["inputs"]) for asked in sink.api.asked] == [4, 4, 2]
    assert (receipt.loaded, receipt.rejected) == (5, 5)
    assert refused(receipt.refused) == [(n, "odd") for n in (1, 3, 5, 7, 9)]


def test_results_in_another_order_are_matched(writer: Writer, sink: Sink) -> None:
    results = [{"id": "2", "state": "created"}, {"id": "1", "state": "failed", "why": {"code": 3}}]
    sink.api.serve("/matched", Answer(json={"done": results}))
    said = {"path": "done", "match": {"id": "id"}, "ok": "state", "values": ["created"], "error": "why"}
    connector = writer.connector(path="/matched", batch={}, results=said)
    receipt = writer.load(connector, pa.table({"id": ["1", "2"]}))
    assert refused(receipt.refused) == [("1", '{"code": 3}')]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"results": [{"ok": True}]}, "it has 1 results for 2 records"),
        ({"other": []}, "`results` is no list of results"),
    ],
)
def test_an_answer_that_does_not_tell_is_an_error(writer: Writer, sink: Sink, answer: Any, message: str) -> None:
    sink.before.append(Answer(json=answer))
    with pytest.raises(InvalidData, match=message):
        writer.load(writer.connector(**BATCH), people(1, 2))
    assert writer.load(writer.connector(**BATCH), people(1, 2), again=True).loaded == 2
    assert sink.keys[0] == sink.keys[1]


def test_a_batch_refused_as_a_whole_is_halved_down_to_who_is_at_fault(writer: Writer, sink: Sink) -> None:
    sink.refuses = lambda record: "no" if record["id"] in {3, 6} else None
    receipt = writer.load(writer.connector(**STRICT), people(*range(8)), batch_size=8)
    assert [row for row, _ in refused(receipt.refused)] == [3, 6]
    assert (receipt.loaded, sink.applied) == (6, {str(n): 1 for n in range(8) if n not in {3, 6}})


def test_an_error_within_a_success_refuses(writer: Writer, sink: Sink) -> None:
    sink.api.serve("/odd", Answer(json={"errors": [{"message": "not this one"}]}))
    receipt = writer.load(writer.connector(path="/odd", results={"error": "errors"}), people(1))
    assert refused(receipt.refused) == [(1, '[{"message": "not this one"}]')]


@pytest.mark.parametrize("none", [None, False, 0, "", [], {}])
def test_an_error_that_says_that_there_is_none_refuses_nothing(writer: Writer, sink: Sink, none: Any) -> None:
    sink.api.serve("/odd", Answer(json={"error": none}))
    assert writer.load(writer.connector(path="/odd", results={"error": "error"}), people(1)).loaded == 1


def test_statuses_that_say_there_already_are_success(writer: Writer, sink: Sink) -> None:
    sink.before.append(Answer(status=409, json={"error": "exists"}))
    assert writer.load(writer.connector(existing=[409]), people(1)).loaded == 1


def test_rows_that_are_deletes_are_deleted(writer: Writer, sink: Sink) -> None:
    sink.stored |= {"1": {"id": 1}, "2": {"id": 2}}
    rows = people(1, 2).append_column("gone", pa.array([None, "2026-01-01"], pa.string()))
    order = {"mode": "merge", "delete_field": "gone", "delete_action": "hard"}
    writer.load(writer.connector(path="/contacts/{id}", body={"id": "{id}"}), rows, **order)
    assert sink.stored == {"1": {"id": 1}}
    with pytest.raises(
        SpecError, match="does not say which record is to be deleted: DELETE /contacts would be about all"
    ):
        writer.load(writer.connector(), rows, **order)


def test_values_that_no_request_can_hold_are_refused(writer: Writer, sink: Sink) -> None:
    rows = pa.table({"id": ["1", "..", "", "2"], "x": [1.5, 1.0, 1.0, float("nan")]})
    receipt = writer.load(writer.connector(path="/contacts/{id}"), rows)
    assert refused(receipt.refused) == [
        ("..", "has `id` '..', which no path can hold"),
        ("", "has `id` '', which no path can hold"),
        ("2", "`x` holds nan, for which JSON has no word"),
    ]
    assert [asked.path for asked in sink.api.asked] == ["/contacts/1"]


def test_names_in_a_path_stay_in_their_place(writer: Writer, sink: Sink) -> None:
    writer.load(writer.connector(path="/contacts/{id}"), pa.table({"id": ["a/../b?c=d#e"]}))
    assert sink.api.asked[0].path == "/contacts/a%2F..%2Fb%3Fc%3Dd%23e"


def test_several_requests_at_once(writer: Writer, sink: Sink) -> None:
    receipt = writer.load(writer.connector({"concurrency": 4}), people(*range(50)))
    assert (receipt.loaded, sink.applied) == (50, {str(n): 1 for n in range(50)})


def test_a_load_that_broke_off_goes_on_where_it_was(writer: Writer, sink: Sink) -> None:
    sink.api.queue(*[Answer(json={})] * 3, *[Answer(status=500)] * 4)
    with pytest.raises(ConnectError, match="answered 500"):
        writer.load(writer.connector(), people(*range(6)))
    before = len(sink.keys)
    assert writer.load(writer.connector(), people(*range(6)), again=True).loaded == 6
    assert len(sink.keys) - before == 3, "those that were answered are not asked again"
    assert sink.keys[3] == sink.keys[before], "and the one in between keeps its key"


def test_keys_are_of_the_batch_and_the_row(writer: Writer, sink: Sink) -> None:
    writer.load(writer.connector(), people(1))
    writer.load(writer.connector(), people(1))
    writer.load(writer.connector(), pa.table({"v": [5, 5]}), key=())
    assert len(set(sink.keys)) == 4


def test_appended_rows_of_one_key_arrive_each(writer: Writer, sink: Sink) -> None:
    assert writer.load(writer.connector(), people(1, 1, 2)).loaded == 3
    assert len(sink.keys) == len(set(sink.keys)) == 3
    assert sink.applied == {"1": 2, "2": 1}
    writer.load(writer.connector(), people(1, 1, 2), again=True)
    assert len(sink.keys) == 3, "the same batch again sends nothing"


def test_old_journals_go(writer: Writer) -> None:
    for n in range(3):
        writer.load(writer.connector(), people(n))
    assert [path.name[:13] for path in sorted((writer.folder / "state").rglob("*.jsonl"))] == ["000001-000003"]


def test_a_journal_cut_off_by_a_crash_is_read_as_far_as_it_goes(writer: Writer, sink: Sink) -> None:
    writer.load(writer.connector(), people(1, 2))
    (path,) = (writer.folder / "state").rglob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    assert writer.load(writer.connector(), people(1, 2), again=True).loaded == 2
    assert writer.load(writer.connector(), people(1, 2), again=True).loaded == 2
    assert len(sink.keys) == 3
    assert sink.applied == {"1": 1, "2": 1}


def test_a_new_epoch_of_appended_records_is_refused(writer: Writer) -> None:
    order = {"fresh": True, "previous": Offset(1, 1), "offset": Offset(2, 1)}
    with pytest.raises(InvalidData, match="all would be there twice"):
        writer.load(writer.connector(), people(1), **order)
    assert writer.load(writer.connector(), people(1), **order, allow_destructive=True).loaded == 1
    assert writer.load(writer.connector(path="/contacts/{id}"), people(1), **order, mode="merge").loaded == 1


def test_keys_gone_of_a_partition_are_refused(writer: Writer) -> None:
    order = {"mode": "delete", "own": True, "feed": Feed("p", "eu")}
    with pytest.raises(InvalidData, match="an API does not say whether another partition has them now"):
        writer.load(writer.connector(path="/contacts/{id}"), people(1), **order)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, ConnectError, "The credentials are refused"),
        (403, ConnectError, "The credentials may not do this"),
        (404, InvalidData, "there is no such path"),
        (405, InvalidData, "Mend `method`"),
    ],
)
def test_what_is_no_records_fault_makes_no_dead_letters(
    writer: Writer, sink: Sink, status: int, error: type[Exception], message: str
) -> None:
    sink.before.extend([Answer(status=status)] * 3)
    with pytest.raises(error, match=message):
        writer.load(writer.connector(), people(1))


def test_what_makes_no_sense_is_refused(writer: Writer) -> None:
    with pytest.raises(ValueError, match="a batch has many records"):
        writer.connector(path="/contacts/{id}", batch={})
    with pytest.raises(
        InvalidData, match=r"Table `t` names `\{nmae\}`, which is no column of the rows. Columns: id, name"
    ):
        writer.load(writer.connector(body={"n": "{nmae}"}), people(1))
    with pytest.raises(SpecError, match="Table `T` is not declared in this connector"):
        writer.load(writer.connector(), people(1), table="T")


def test_check_asks_once(writer: Writer, sink: Sink) -> None:
    writer.connector().check()
    assert [asked.method for asked in sink.api.asked] == ["GET"]
    sink.api.queue(Answer(status=401))
    with pytest.raises(ConnectError, match="credentials"):
        writer.connector().check()


def test_secrets_are_not_shown(writer: Writer, sink: Sink) -> None:
    sink.refuses = lambda _: "your token sesame-open-77 may not"
    connector = writer.connector({"auth": {"type": "bearer", "token": "sesame-open-77"}})
    assert isinstance(connector, HttpConnector)
    receipt = writer.load(connector, people(1))
    assert sink.api.asked[0].headers["authorization"] == "Bearer sesame-open-77"
    assert "sesame" not in str(refused(receipt.refused))
