"""Rows that a transform had stopped come back through today's transforms and rules, value for value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import dead_letters, newest_dead_letters, replay_dead_letters
from platform_pipelines.engine import replaying as engine_replaying
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project

WHOLE = {"connector": "mem", "stream": "rows"}
TO_INT = {"label": "Count", "map": {"id": "id", "n": {"convert": "int"}}, "unmapped": "keep"}
#: what is no number keeps its text in a column of its own
MENDED = {
    "label": "Count",
    "map": {"id": "id", "n": {"convert": f"{__name__}:number"}, "word": "n"},
    "unmapped": "keep",
}


def number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() else None


def small(world: World, **changes: Any) -> Project:
    return world.project(**{"source": WHOLE, "transforms": [TO_INT]} | changes)


def put(world: World, *texts: str | None) -> None:
    MemoryConnector.put("rows", pa.table({"id": range(len(texts)), "n": pa.array(texts, pa.string())}), world.space)


def test_a_mended_transform_takes_them_up_value_for_value(world: World) -> None:
    fields = {
        "id": pa.array([1, 2]),
        "n": pa.array(["1", "x"]),
        "price": pa.array([Decimal("1.10"), Decimal("12345678901234567890.123456789")]),
        "big": pa.array([1, 2**63 - 1]),
        "seen": pa.array([None, dt.datetime(2026, 1, 1, 0, 0, 0, 1, dt.UTC)], pa.timestamp("us", "UTC")),
        "empty": pa.array(["", None]),
        "nested": pa.array([None, {"a": [1, None], "b": "ü"}]),
    }
    MemoryConnector.put("rows", pa.table(fields), world.space)
    assert world.run(small(world)).rejected == 1
    project = small(world, transforms=[MENDED])
    report = replay_dead_letters(project, "p")
    assert (report.status, report.rejected, report.destinations["out"].rows) == ("success", 0, 1), report.error
    expected = {name: array.to_pylist()[1] for name, array in fields.items()}
    assert world.rows()[1] == {**expected, "n": None, "word": "x"}
    assert dead_letters(project, "p") == []
    assert replay_dead_letters(project, "p").destinations["out"].rows == 0, "each is taken up once"


def test_what_fails_again_stays_a_dead_letter_and_can_come_back_again(world: World) -> None:
    put(world, "1", "x", "y")
    project = small(world)
    world.run(project)
    again = replay_dead_letters(project, "p")
    assert (again.rejected, again.destinations["out"].rows) == (2, 0)
    assert newest_dead_letters(project, "p", 1) == (dead_letters(project, "p")[:1], 2)
    assert replay_dead_letters(small(world, transforms=[MENDED]), "p").destinations["out"].rows == 2
    assert world.ids() == [0, 1, 2]


def test_they_meet_todays_rules(world: World) -> None:
    put(world, "1", "x")
    world.run(small(world))
    rule = {"id": "short", "type": "regex", "field": "word", "pattern": "^[0-9]+$", "severity": "error"}
    project = small(world, transforms=[MENDED], quality={"rules": [rule]})
    assert replay_dead_letters(project, "p").rejected == 1
    assert [letter["rule"] for letter in dead_letters(project, "p")] == ["short"]


def test_they_go_on_where_they_were_stopped(world: World) -> None:
    """What is before that place has run over them already, and would run twice."""
    first = {"label": "Twice", "sql": "select id, n || n as n from input"}
    put(world, "1", "x")
    world.run(small(world, transforms=[first, TO_INT]))
    assert dead_letters(small(world), "p")[0]["record"]["n"] == "xx"
    today = [
        {"label": "New", "filter": "true"},
        first,
        {"label": "Mend", "sql": "select id, '7' as n from input"},
        TO_INT,
    ]
    project = small(world, transforms=today)
    assert replay_dead_letters(project, "p").destinations["out"].rows == 1
    assert world.rows() == [{"id": 0, "n": 11}, {"id": 1, "n": 7}]


def test_dead_letters_of_every_kind_come_back_in_one_go(world: World) -> None:
    """Rows that rules rejected, rows stopped in two places: each goes on from its own place."""
    filtered = {"label": "Second", "map": {"id": "id", "n": "n", "m": {"from": "n", "convert": "bool"}}}
    put(world, "1", "x", "7", "0", "-5")
    rule = {"id": "positive", "type": "range", "field": "n", "min": 1, "severity": "error"}
    project = small(world, transforms=[TO_INT, filtered], quality={"rules": [rule]})
    assert world.run(project).rejected == 4
    rules = sorted(letter["rule"] for letter in dead_letters(project, "p"))
    assert rules == ["positive", "transform:Count", "transform:Second", "transform:Second"]
    today = [
        MENDED,
        {"label": "Second", "map": {"id": "id", "n": "n", "m": {"default": None, "from": "gone", "convert": "bool"}}},
    ]
    report = replay_dead_letters(small(world, transforms=today), "p")
    assert (report.status, report.destinations["out"].rows) == ("success", 4), report.error
    assert world.ids() == [0, 1, 2, 3, 4]


def test_rows_of_before_a_new_column_have_null_there(world: World) -> None:
    read = [{"id": 1, "n": "1", "at": at(1)}, {"id": 2, "n": "x", "at": at(2)}]
    world.put(read)
    world.run(world.project(transforms=[TO_INT]))
    world.put([*read, {"id": 5, "n": "5", "at": at(5), "new": "a"}])
    world.run(world.project(transforms=[TO_INT]))
    today = [{"label": "Count", "map": {"id": "id", "n": {"convert": f"{__name__}:number"}, "at": "at", "new": "new"}}]
    report = replay_dead_letters(world.project(transforms=today), "p")
    assert (report.status, report.rejected) == ("success", 0), report.error
    assert {row["id"]: row["new"] for row in world.rows()} == {1: None, 2: None, 5: "a"}


def test_rows_that_fit_todays_transforms_no_more_hold_up_nobody(world: World) -> None:
    put(world, "1", "x")
    world.run(small(world))
    broken = small(world, transforms=[{"label": "Count", "filter": "gone > 1"}])
    report = replay_dead_letters(broken, "p")
    assert (report.status, report.rejected) == ("success", 1)
    (letter,) = dead_letters(broken, "p")
    assert letter["rule"] == "replay"
    assert "gone" in letter["reason"]
    assert replay_dead_letters(small(world, transforms=[MENDED]), "p").destinations["out"].rows == 1


def test_rows_that_did_not_fit_the_contract_come_back_too(world: World) -> None:
    contract = {"schema_contract": {"type_changes": "reject"}}
    MemoryConnector.put("rows", pa.table({"id": [1]}), world.space)
    world.run(small(world, transforms=[], quality=contract))
    MemoryConnector.put("rows", pa.table({"id": ["2", "x"]}), world.space)
    project = small(world, transforms=[], quality=contract)
    assert world.run(project).rejected == 1
    again = replay_dead_letters(project, "p")
    assert (again.rejected, dead_letters(project, "p")[0]["record"]) == (1, {"id": "x"})


def test_a_cursor_that_the_map_drops_goes_with_them(world: World) -> None:
    """Else the old row would overwrite the newer one that came since."""
    merge = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
    transforms = [{"label": "Count", "map": {"id": "id", "n": {"convert": "int"}}}]
    read = [{"id": 1, "n": "1", "at": at(1)}, {"id": 2, "n": "x", "at": at(2)}]
    project = world.project(transforms=transforms, destinations=[merge])
    world.put(read)
    world.run(project)
    world.put([*read, {"id": 2, "n": "7", "at": at(5)}])
    world.run(project)
    mended = [{"label": "Count", "map": {"id": "id", "n": {"convert": f"{__name__}:number", "default": 0}}}]
    report = replay_dead_letters(world.project(transforms=mended, destinations=[merge]), "p")
    assert (report.status, report.rejected) == ("success", 0), report.error
    assert sorted((row["id"], row["n"]) for row in world.rows()) == [(1, 1), (2, 7)]


def test_killed_between_two_batches_of_a_replay_each_letter_comes_back_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, "1", "x", "7")
    rule = {"id": "one", "type": "range", "field": "n", "max": 1, "severity": "error"}
    world.run(small(world, quality={"rules": [rule]}))
    project = small(world, transforms=[MENDED])
    groups = engine_replaying._groups

    def cut(*args: Any) -> Any:
        yield next(groups(*args))
        message = "killed"
        raise KeyboardInterrupt(message)

    with monkeypatch.context() as patch:
        patch.setattr(engine_replaying, "_groups", cut)
        with pytest.raises(KeyboardInterrupt):
            engine_replaying.land_replay(world.context(project), project.store.feed(FEED))
    assert newest_dead_letters(project, "p", 20)[1] == 1
    report = replay_dead_letters(project, "p")
    assert (report.status, report.destinations["out"].rows) == ("success", 2), report.error
    assert world.ids() == [0, 1, 2]
