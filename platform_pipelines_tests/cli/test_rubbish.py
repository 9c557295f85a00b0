"""What makes no sense on a command line is bad usage, whatever it is: exit code 2, one JSON value, nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder

NUMBERS = """\
name: numbers
source: {connector: drops, stream: orders.csv, mode: incremental, cursor: {field: id}}
destinations: [{connector: warehouse, table: raw.numbers, mode: merge, key: [id]}]
"""
DAYS = """\
name: days
source: {connector: drops, stream: orders.csv, mode: incremental, cursor: {field: at, timezone: UTC}}
partitions: {by: day, field: at, start: 2026-01-01, end: 2026-01-04}
destinations: [{connector: warehouse, table: raw.days, mode: merge, key: [id]}]
"""
MONTHS = """\
name: months
source: {connector: drops, stream: orders.csv, mode: incremental, cursor: {field: at, timezone: UTC}}
partitions: {by: month, field: at, start: 2026-01-01}
destinations: [{connector: warehouse, table: raw.months, mode: merge, key: [id]}]
"""
WEEKS = MONTHS.replace("month", "week")

#: of a pipeline that never ran: only the text itself, and what the source then says, tell what a bound is
BEFORE_A_RUN = [
    (
        ["orders", "--from", "x", "--to", "y"],
        "at' is of type timestamp now, but the bound 'x' is string. Give `--from`",
    ),
    (["orders", "--from", "1", "--to", "5"], "the bound '1' is int. Give `--from` and `--to`"),
    (["orders", "--from", "2026-01-01", "--to", "y"], "they do not compare"),
    (["orders", "--from", "2026-13-01", "--to", "2026-14-01"], "`--from`: '2026-13-01' is not a value"),
    (["orders", "--from", "2026-01-02", "--to", "2026-01-01T00:00:00Z"], "holds nothing"),
    (["numbers", "--from", "5.5", "--to", "5"], "holds nothing"),
    (["numbers", "--from", "2026-01-01", "--to", "2026-01-05"], "the bound '2026-01-01' is date. Give"),
]
#: of one that has a watermark, whose type it must be
AFTER_A_RUN = [
    (["orders", "--from", "x", "--to", "y"], "`--from`: 'x' is not a value of the cursor's type timestamp. Write it"),
    (["orders", "--from", "2026-01-01", "--to", "y"], "`--to`: 'y' is not a value"),
    (["orders", "--from", "1", "--to", "5"], "`--from`: '1' is not a value"),
    (["orders", "--from", "2026-01-03T00:00:00", "--to", "2026-01-02"], "holds nothing"),
    (["orders", "--from", "2026-01-01", "--to", "2026-01-02", "--only", "warehouse"], "--only warehouse"),
]
OF_PARTITIONS = [
    (["days", "--from", "x", "--to", "y"], "'x' is not a date"),
    (["days", "--from", "2030-01-01", "--to", "2030-01-02"], "There are 3: 2026-01-01 to 2026-01-03."),
    (["days", "--from", "0001-01-01-00:00+1200", "--to", "0001-01-02"], "is not a date"),
    (["days", "--partition", "x"], "Keys look like 2026-01-01"),
    (["days", "--partition", ""], "Keys look like 2026-01-01"),
    (["months", "--partition", "9999-12-01"], "is not the key of a partition by month"),
    (["weeks", "--partition", "9999-12-26"], "is not the key of a partition by week"),
    (["weeks", "--from", "0001-01-01", "--to", "0001-01-02"], "No partition of `weeks` lies in the range"),
]


@pytest.fixture
def several(orders: Folder) -> Folder:
    """Orders, and pipelines with another cursor and with partitions."""
    for name, text in {"numbers": NUMBERS, "days": DAYS, "months": MONTHS, "weeks": WEEKS}.items():
        orders.write(f"defs/{name}.yaml", text)
    return orders


@pytest.mark.parametrize(("words", "message"), BEFORE_A_RUN + OF_PARTITIONS)
def test_what_a_run_cannot_mean_is_bad_usage(several: Folder, words: list[str], message: str) -> None:
    answer = several.type("run", *words, "--json")
    assert (answer.code, answer.json["status"], answer.json["pipeline"]) == (2, "failed", words[0])
    assert message in answer.json["error"]
    assert message in answer.err


@pytest.mark.parametrize(("words", "message"), AFTER_A_RUN)
def test_what_a_run_cannot_mean_by_its_watermark_is_bad_usage(several: Folder, words: list[str], message: str) -> None:
    assert several.type("run", "orders").code == 0
    before = several.type("status", "--json").json
    answer = several.type("run", *words, "--json")
    assert (answer.code, answer.json["status"]) == (2, "failed")
    assert message in answer.json["error"]
    assert several.type("status", "--json").json == before


@pytest.mark.parametrize("begin", ["2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z"])
def test_bounds_that_compare_are_no_rubbish(several: Folder, begin: str) -> None:
    answer = several.type("run", "orders", "--from", begin, "--to", "2026-01-02T12:00", "--json")
    assert (answer.code, answer.json["rows"]["read"]) == (0, 2)


@pytest.mark.parametrize("command", ["run", "plan", "preview"])
@pytest.mark.parametrize("initial", ["yesterday", "2026-13-01"])
def test_an_initial_cursor_that_is_none_is_bad_yaml(orders: Folder, command: str, initial: str) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("timezone: UTC", f"timezone: UTC, initial: '{initial}'"))
    answer = orders.type(command, "orders", "--json")
    assert (answer.code, answer.json["status"]) == (2, "failed")
    assert "defs/sales/orders.yaml:1: " in answer.json["error"]
    assert f"'{initial}'" in answer.json["error"]
    assert "cursor.initial" in answer.json["error"]


@pytest.mark.parametrize("typed", ["-1", "0", "x", "", "1.5", "99999999999999999999"])
@pytest.mark.parametrize(
    "command", [["preview", "orders", "--limit"], ["dead-letters", "orders", "--limit"], ["status", "--page"]]
)
def test_a_number_that_is_none_is_bad_usage(orders: Folder, command: list[str], typed: str) -> None:
    answer = orders.type(*command, typed, "--json")
    assert answer.code == 2
    assert (
        f"{command[-1]}': '{typed}' is not allowed. Write a whole number from 1 to 2147483647." in answer.json["error"]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--partition", "x"], "`--partition` goes with a TOKEN"),
        (["--by", "me"], "`--by` goes with a TOKEN"),
        (["pt-1", "--by", " "], "`--by` is empty"),
    ],
)
def test_approve_refuses_options_without_a_meaning(orders: Folder, words: list[str], message: str) -> None:
    answer = orders.type("approve", "orders", *words, "--json")
    assert (answer.code, answer.json["status"]) == (2, "failed")
    assert message in answer.json["error"]


def test_a_row_is_not_explained_by_a_column_that_is_not_there(orders: Folder) -> None:
    assert orders.type("run", "orders").code == 0
    answer = orders.type("state", "orders", "--explain", "ID_=1", "--json")
    assert answer.code == 2
    assert "`ID_`. Allowed: amount, at, id. Did you mean `id`?" in answer.json["error"]
    assert "`id=ID_=1`" in answer.json["error"]
    assert orders.type("state", "orders", "--explain", "id=ID_=1", "--json").json["key"] == {"id": "ID_=1"}
    assert orders.type("state", "orders", "--explain", "abc=", "--json").json["key"] == {"id": "abc="}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--domain", "../elsewhere"], "`--domain`: '../elsewhere' is not allowed"),
        (["--domain", ""], "`--domain`: '' is not allowed"),
        (["--stream", ""], "`--stream` is empty"),
    ],
)
def test_a_starter_is_written_nowhere_else(orders: Folder, words: list[str], message: str) -> None:
    answer = orders.type("new", "more", *words)
    assert (answer.code, message in answer.err) == (2, True)
    assert not list(orders.root.rglob("more.yaml"))
