from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine.deadletters import dead_letters, replay_dead_letters
from platform_pipelines.engine.previewing import preview
from platform_pipelines.errors import FatalError
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    import pytest


def test_rows_a_transform_cannot_convert_become_dead_letters_to_the_last_digit(world: World) -> None:
    project = world.project(
        source={"connector": "mem", "stream": "rows"},
        transforms=[{"map": {"n": {"from": "n", "convert": "int"}, "price": "price"}, "label": "Count"}],
    )
    MemoryConnector.put(
        "rows", pa.table({"n": ["1", "x"], "price": [Decimal("1.10"), Decimal("12345678901234567.80")]}), world.space
    )
    report = world.run(project)
    assert (report.status, report.read, report.rejected, report.filtered) == ("success", 2, 1, 0)
    assert report.destinations["out"].rows == 1
    (letter,) = dead_letters(project, "p")
    assert letter["record"] == {"n": "x", "price": "12345678901234567.80"}
    assert letter["rule"] == "transform:Count"
    again = replay_dead_letters(project, "p")
    assert (again.rejected, again.destinations["out"].rows) == (1, 0), "such records stay dead letters"
    assert len(dead_letters(project, "p")) == 1


def test_a_rejected_type_change_becomes_a_dead_letter(world: World) -> None:
    project = world.project(
        source={"connector": "mem", "stream": "rows"}, quality={"schema_contract": {"type_changes": "reject"}}
    )
    MemoryConnector.put("rows", pa.table({"id": [1, 2]}), world.space)
    world.run(project)
    MemoryConnector.put("rows", pa.table({"id": ["3", "x"]}), world.space)
    report = world.run(project)
    assert (report.status, report.rejected, world.ids()) == ("success", 1, [3])
    assert dead_letters(project, "p")[0]["rule"] == "schema_contract"


def test_columns_come_and_go_as_the_contract_says(world: World) -> None:
    lenient = {"schema_contract": {"new_columns": "ignore", "missing_columns": "null"}}
    project = world.project(quality=lenient)
    world.put([{"id": 1, "kept": "a", "at": at(1)}])
    world.run(project)
    world.put([{"id": 2, "new": "b", "at": at(2)}])
    assert world.run(project).status == "success"
    assert world.rows() == [{"id": 1, "kept": "a", "at": at(1)}, {"id": 2, "kept": None, "at": at(2)}]


def test_an_asked_for_full_refresh_agrees_on_a_schema_anew(world: World) -> None:
    project = world.project(
        source={"connector": "mem", "stream": "rows"},
        destinations=[{"connector": "mem", "name": "out", "table": "out", "mode": "replace"}],
    )
    MemoryConnector.put("rows", pa.table({"id": [1], "v": ["a"]}), world.space)
    world.run(project)
    MemoryConnector.put("rows", pa.table({"id": [1], "v": [5]}), world.space)
    assert world.run(project).status == "failed"
    report = world.run(project, full_refresh=True, allow_destructive=True)
    assert report.status == "success", report.error
    assert world.rows() == [{"id": 1, "v": 5}]


def test_an_aggregate_counts_what_it_folds(world: World) -> None:
    project = world.project(
        source={"connector": "mem", "stream": "rows"},
        transforms=[{"aggregate": {"by": ["k"], "values": {"n": "count"}}}],
    )
    MemoryConnector.put("rows", pa.table({"k": ["a", "a", "b"]}), world.space)
    report = world.run(project)
    assert (report.read, report.filtered, report.destinations["out"].rows) == (3, 1, 2)


def test_a_failing_transform_names_itself_and_loads_nothing(world: World) -> None:
    project = world.project(transforms=[{"filter": "nope > 1", "label": "Only big"}])
    world.put([{"id": 1, "at": at(1)}])
    report = world.run(project)
    assert report.status == "failed"
    assert "Transform `Only big`" in str(report.error)
    assert report.destinations["out"].status == "skipped"


def test_preview_touches_no_state(world: World) -> None:
    project = world.project(
        transforms=[{"map": {"id": "id", "at": "at"}}],
        quality={
            "rules": [{"id": "low", "type": "range", "field": "id", "max": 2}, {"type": "volume", "min_rows": 99}]
        },
    )
    world.put([{"id": n, "at": at(n)} for n in range(5)])
    shown = preview(project, "p", 4).to_json()
    assert [row["id"] for row in shown["rows"]] == [0, 1, 2]
    assert [(letter["record"]["id"], letter["rule"]) for letter in shown["rejected"]] == [(3, "low")]
    assert project.store.feeds("p") == []


def test_an_unforeseen_error_at_one_destination_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    load = MemoryConnector.load

    def explode(self: MemoryConnector, order: object, batches: object) -> object:
        if order.table == "bad":  # type: ignore[attr-defined]
            message = "boom"
            raise ZeroDivisionError(message)
        return load(self, order, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryConnector, "load", explode)
    both = [{"name": name, "connector": "mem", "table": name, "mode": "append"} for name in ("bad", "out")]
    world.put([{"id": 1, "at": at(1)}])
    report = world.run(world.project(destinations=both))
    assert (report.status, report.destinations["out"].rows) == ("partial", 1)
    assert "ZeroDivisionError: boom" in str(report.destinations["bad"].error)
    assert isinstance(report.errors[0], FatalError)
