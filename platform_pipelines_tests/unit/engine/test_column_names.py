"""Sources may land columns that no load can tell apart, or call; a transform then gives them names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.engine.rowhash import RowHasher
from platform_pipelines.errors import InvalidData
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.engine.world import World


@pytest.mark.parametrize(
    ("name", "says", "way_out"),
    [
        ("A", "The columns 'a' and 'A' differ in case alone", "select * rename (A_1 as b) from input"),
        ("", "Column 4 of 4 (behind 'a') has no name", "select * rename (C3 as b) from input"),
    ],
)
def test_a_transform_mends_what_was_landed(world: World, name: str, says: str, way_out: str) -> None:
    world.put(pa.table({"id": [1], "at": [at(1)], "a": [10], name: [20]}))
    for _ in range(2):
        report = world.run(world.project())
        assert (report.status, report.exit_code) == ("failed", 1)
        assert says in str(report.error)
        assert way_out.replace(" b)", " NAME)") in str(report.error)
    world.put(pa.table({"id": [2], "at": [at(2)], "a": [11], name: [21]}))  # the source has the first row no more
    report = world.run(world.project(transforms=[{"sql": way_out}]))
    assert report.status == "success"
    assert [(row["id"], row["a"], row["b"]) for row in world.rows()] == [(1, 10, 20), (2, 11, 21)]


def unchanged(frame: Any) -> Any:
    return frame


def as_text(frame: Any) -> Any:
    return frame.astype({frame.columns[-1]: str})


@pytest.mark.parametrize(
    ("name", "says", "way_out"),
    [
        ("A", "The columns 'a' and 'A' differ in case alone", "select * rename (A_1 as b) from input"),
        ("", "Column 4 of 4 (behind 'a') has no name", "select * rename (C3 as b) from input"),
    ],
)
@pytest.mark.parametrize(
    "transform",
    [
        {"filter": "id > 0"},
        {"function": f"{__name__}:unchanged"},
        {"function": f"{__name__}:as_text"},
        {"sql": "select * from input"},
        {"map": {"k": "id"}, "unmapped": "keep"},
        {"mask": {"a": "redact"}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_no_transform_passes_on_a_name_that_was_made_up(
    world: World, transform: dict[str, Any], name: str, says: str, way_out: str
) -> None:
    world.put(pa.table({"id": [1], "at": [at(1)], "a": [10], name: [20]}))
    report = world.run(world.project(transforms=[transform]))
    assert report.status == "failed"
    assert says in str(report.error)
    assert way_out.replace(" b)", " NAME)") in str(report.error)
    with pytest.raises(InvalidData):
        world.rows()
    assert world.run(world.project(transforms=[{"sql": way_out}, transform])).status == "success"
    assert {str(row["b"]) for row in world.rows()} == {"20"}


@pytest.mark.parametrize(
    ("landed", "way_out", "second"),
    [
        (("a", "A", "b", "B"), "select * rename (A_1 as x) from input", "rename (B_1 as NAME)"),
        (("a", "a_1", "A"), "select * rename (a_1 as x) from input", "rename (A_1_1 as NAME)"),
        (("a", "A", "a_1"), "select * rename (A_1 as x) from input", "rename (a_1_1 as NAME)"),
    ],
)
def test_the_name_to_write_is_that_of_the_column_that_is_left(
    world: World, landed: tuple[str, ...], way_out: str, second: str
) -> None:
    world.put(pa.table({"id": [1], "at": [at(1)], **{name: [place] for place, name in enumerate(landed)}}))
    report = world.run(world.project(transforms=[{"sql": way_out}]))
    assert report.status == "failed"
    assert second in str(report.error)
    again = {"sql": f"select * {second.replace('NAME', 'y')} from input"}
    assert world.run(world.project(transforms=[{"sql": way_out}, again])).status == "success"
    assert world.rows()[0]["y"] == (3 if len(landed) == 4 else 2)


def test_the_name_may_be_given_to_another_column(world: World) -> None:
    world.put(pa.table({"id": [1], "at": [at(1)], "a": [10], "A": [20]}))
    report = world.run(world.project(transforms=[{"map": {"id": "id", "at": "at", "A_1": "a", "b": "A_1"}}]))
    assert report.status == "success"
    assert [(row["A_1"], row["b"]) for row in world.rows()] == [(10, 20)]


def test_rows_that_differ_in_such_a_column_alone_are_two() -> None:
    rows = pa.RecordBatch.from_arrays([[1] * 3, [10] * 3, [20, 21, 20], [0, 0, 1]], names=["id", "a", "A", ""])
    assert len(set(RowHasher().digests(rows, ()))) == rows.num_rows
