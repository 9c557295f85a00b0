"""Deletes by key difference: what is gone at the source goes at every destination, once, or not at all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import RunRequest, run
from platform_pipelines.errors import ConnectError, DeletesRefused
from platform_pipelines.model import Page, Rejected
from platform_pipelines_tests.unit.engine.deleting import MERGE, detecting, rows
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.model import Stream, Window


def test_keys_that_are_gone_are_deleted_and_counted(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3, 4))
    assert world.run(project).read == 4
    world.put(rows(1, 3, 4, 5))
    report = world.run(project)
    assert world.ids() == [1, 3, 4, 5]
    # 4 is read again at the watermark; 5 is new; 2 is the key that is gone
    assert (report.read, report.deduplicated, report.destinations["out"].rows) == (3, 1, 2)
    assert report.to_json()["rows"]["loaded"] == {"out": 2}
    again = world.run(project)
    assert (again.status, world.ids()) == ("nothing_new", [1, 3, 4, 5])


def test_the_record_of_the_run_counts_deletes(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 3))
    token = world.run(project).token
    entries = {entry.stage: entry.body for entry in project.store.runs.entries("p", token)}
    assert entries["landing"]["deleted"] == 1


def test_a_key_that_comes_back_is_loaded_again_and_deleted_again(world: World) -> None:
    project = detecting(world)
    for step, ids in enumerate([(1, 2, 3), (1, 3), (1, 2, 3), (2, 3)]):
        world.put(rows(*ids, second=10 * step))
        assert world.run(project).error is None
        assert world.ids() == sorted(ids)


def test_too_many_are_refused_and_nothing_is_deleted(world: World) -> None:
    project = detecting(world, {"max_share": 0.25})
    world.put(rows(*range(8)))
    world.run(project)
    world.put(rows(*range(5)))
    report = world.run(project)
    assert (report.status, report.exit_code) == ("failed", 1)
    assert isinstance(report.errors[0], DeletesRefused)
    assert str(report.errors[0]) == (
        "3 of the 8 keys that `p` has loaded are gone at the source (37.5%), more than `deletes.max_share` allows "
        "(25.0%). The source gave 5 keys. Nothing was deleted. If the source is incomplete, mend it and run again; "
        "if these rows are really gone, run `pipelines run p --allow-destructive`."
    )
    assert world.ids() == list(range(8))
    world.put(rows(*range(6)))
    assert world.run(project).error is None
    assert world.ids() == list(range(6))


def test_what_was_read_before_a_refusal_is_counted(world: World) -> None:
    project = detecting(world, {"max_share": 0.25})
    world.put(rows(*range(8)))
    world.run(project)
    world.put(rows(0, 1, 2, 9))
    report = world.run(project)
    assert (report.status, report.to_json()["rows"]["read"]) == ("failed", 1)
    assert report.to_json()["watermark"]["to"] is not None
    assert report.to_json()["watermark"]["from"] != report.to_json()["watermark"]["to"]


def test_an_empty_source_deletes_nothing_unless_that_is_meant(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2))
    world.run(project)
    world.put(pa.table({"id": [1], "at": pa.array([at(1)], pa.timestamp("us", "UTC")), "v": ["x"]}).slice(0, 0))
    assert world.run(project).status == "failed"
    assert world.ids() == [1, 2]
    assert world.run(project, allow_destructive=True).status == "success"
    assert world.ids() == []


def test_rows_that_landed_in_a_refused_run_are_loaded_by_the_next(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(4))
    assert world.run(project).status == "failed"
    world.put(rows(1, 2, 3, 4))
    assert world.run(project).error is None
    assert world.ids() == [1, 2, 3, 4]


def test_a_row_that_goes_while_its_batch_waits_is_removed_by_the_run_behind_that_which_loads_it(world: World) -> None:
    project = detecting(world, {"max_share": 1})
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 2, 3, 4, second=1))
    world.run(project, only="landing")  # as if the run had died then
    world.put(rows(1, 2, 3, second=1))
    assert world.run(project).error is None
    assert world.run(project).error is None
    assert world.ids() == [1, 2, 3]
    assert world.run(project).status == "nothing_new"


def test_an_empty_key_set_is_no_division_by_zero(world: World) -> None:
    project = detecting(world, {"max_share": 0})
    world.put(pa.table({"id": pa.array([], pa.int64()), "at": pa.array([], pa.timestamp("us", "UTC"))}))
    assert world.run(project).error is None
    assert world.run(project).error is None


def test_every_destination_applies_deletes_at_its_own_pace(world: World) -> None:
    project = detecting(world, destinations=[MERGE, MERGE | {"name": "late", "table": "late"}])
    world.put(rows(1, 2, 3))
    world.run(project, only="landing")
    world.run(project, only="validated")
    world.run(project, only="out")
    world.put(rows(1, 3))
    world.run(project, only="landing")
    world.run(project, only="validated")
    world.run(project, only="out")
    assert world.ids() == [1, 3]
    world.put(rows(1, 2, 3, second=10))
    assert world.run(project).error is None
    assert world.ids("late") == world.ids() == [1, 2, 3]
    # a table that is added later passes through the same history
    more = detecting(world, destinations=[MERGE, MERGE | {"name": "new", "table": "new"}])
    world.put(rows(1, 2, second=20))
    assert world.run(more).error is None
    assert world.ids("new") == world.ids() == [1, 2]


def test_a_row_that_moved_to_another_partition_stays(world: World) -> None:
    partitions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    project = detecting(world, partitions=partitions)
    for order in (("eu", "us"), ("us", "eu")):
        first, second = order
        world.put([{"id": 1, "at": at(1), "region": "eu"}, {"id": 2, "at": at(2), "region": "eu"}])
        world.run(project, full_refresh=True)
        world.put([{"id": 1, "at": at(3), "region": "us"}, {"id": 2, "at": at(2), "region": "eu"}])
        for key in (first, second):
            assert world.run(project, partitions=(key,)).error is None
        assert sorted((row["id"], row["region"]) for row in world.rows()) == [(1, "us"), (2, "eu")], order


@pytest.mark.parametrize("name", ["number", "sequence", "path", "gone", "file_index"])
def test_keys_are_compared_behind_renames_and_filters(world: World, name: str) -> None:
    project = detecting(
        world,
        transforms=[{"map": {name: "id", "at": None, "v": None}}, {"filter": "v <> 'v3'"}],
        destinations=[MERGE | {"key": [name]}],
    )
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(2, 3))
    assert world.run(project).error is None
    assert [row[name] for row in world.rows()] == [2]


def test_a_transform_that_makes_other_keys_meets_the_limit(world: World) -> None:
    project = detecting(world, transforms=[{"sql": 'select id + 100 as id, "at" from input'}])
    world.put(rows(1, 2, 3))
    world.run(project)
    report = world.run(project)
    assert "3 of the 3 keys" in str(report.error)
    assert world.ids() == [101, 102, 103]


def test_rejected_rows_are_no_known_keys(world: World) -> None:
    rules = {"rules": [{"id": "v", "type": "accepted", "field": "v", "values": ["v1", "v2"], "severity": "error"}]}
    project = detecting(world, quality=rules)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 2))
    assert world.run(project).status == "nothing_new"


class Reading(MemoryConnector):
    """A source that breaks, or that has records nobody can read."""

    breaks: bool = False
    rejected: tuple[Rejected, ...] = ()

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        if self.breaks and window.field is None:
            msg = "The line is dead."
            raise ConnectError(msg)
        yield from super().read(stream, window, resume)
        yield Page((), rejected=self.rejected)


def test_a_source_that_breaks_while_keys_are_read_deletes_nothing(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 2, 4))
    project.connectors["mem"] = Reading(space=world.space, breaks=True)
    assert world.run(project).exit_code == ConnectError.exit_code
    assert world.ids() == [1, 2, 3]
    project.connectors["mem"] = Reading(space=world.space)
    assert world.run(project).error is None
    assert world.ids() == [1, 2, 4]


def test_an_unreadable_record_is_there_all_the_same(world: World, caplog: pytest.LogCaptureFixture) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 3))
    project.connectors["mem"] = Reading(space=world.space, rejected=(Rejected('{"id": "2"}', "bad"),))
    world.run(project)
    assert world.ids() == [1, 2, 3]
    project.connectors["mem"] = Reading(space=world.space, rejected=(Rejected("2;", "bad"),))
    with caplog.at_level(logging.WARNING):
        assert world.run(project).error is None
    assert "1 records of stream 'rows' cannot be read" in caplog.text
    assert world.ids() == [1, 2, 3]
    project.connectors["mem"] = Reading(space=world.space)
    world.run(project)
    assert world.ids() == [1, 3]


def test_a_run_that_died_before_judging_finds_nothing_twice(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 3))
    world.run(project, only="landing")
    log = project.store.feed(FEED)
    assert [log.manifest(1, sequence).kind for sequence in log.sequences(1)] == ["extract", "deletes"]
    report = world.run(project)
    assert (report.read, report.destinations["out"].rows, world.ids()) == (1, 1, [1, 3])
    assert log.sequences(1) == [1, 2]


def test_a_full_refresh_starts_over(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(3))
    assert world.run(project, full_refresh=True).error is None
    assert world.ids() == [3]
    world.put(rows(3, 4))
    assert world.run(project).error is None
    assert world.ids() == [3, 4]


def test_a_window_read_again_looks_for_no_deletes(world: World) -> None:
    project = detecting(world)
    world.put(rows(1, 2, 3))
    world.run(project)
    world.put(rows(1, 3))
    assert world.run(project, window_from=at(0).isoformat(), window_to=at(9).isoformat()).error is None
    assert world.ids() == [1, 2, 3]


@pytest.mark.parametrize("field", ["deleted", "delete"])
def test_a_column_of_deletes_that_no_row_has_is_warned_about(
    world: World, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}
    deletes = {"field": field, "action": "hard"}
    project = world.project(source=source | {"deletes": deletes}, destinations=[MERGE])
    world.put([{"id": 1, "at": at(1), "deleted": "yes"}, {"id": 2, "at": at(2), "deleted": None}])
    assert world.run(project).status == "success"
    assert world.run(project).status == "nothing_new"
    warned = [message for message in caplog.messages if "`deletes`" in message]
    if field == "deleted":
        assert (world.ids(), warned) == ([2], [])
    else:
        assert world.ids() == [1, 2]
        (message,) = warned
        assert message.startswith("Pipeline `p`: the rows to load have no column `delete`, by which `deletes` tells")
        assert message.endswith("Columns: id, at, deleted. Did you mean `deleted`?")


def test_a_hard_delete_by_field_leaves_no_tombstone(world: World) -> None:
    """Documented: an older version that comes late from another partition is inserted; a soft delete outlasts it."""
    partitions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    cursor = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}
    older = {"id": 1, "at": at(1), "region": "us", "deleted": None}
    newer = {"id": 1, "at": at(5), "region": "eu", "deleted": "yes"}
    for action, left in (("hard", [("us", None)]), ("soft", [("eu", "yes")])):
        name = f"out_{action}"
        project = world.project(
            source=cursor | {"deletes": {"field": "deleted", "action": action}},
            destinations=[MERGE | {"table": name}],
            partitions=partitions,
            name=f"p_{action}",
        )
        world.put([older, newer])
        for key in ("eu", "us"):
            assert run(project, RunRequest(f"p_{action}", partitions=(key,))).error is None
        assert [(row["region"], row["deleted"]) for row in world.rows(name)] == left


def test_a_version_that_comes_late_from_another_partition_goes_with_its_next_run(world: World) -> None:
    partitions = {"by": "value", "field": "region", "values": ["eu", "us"]}
    project = detecting(world, {"max_share": 1}, partitions=partitions)
    world.put([{"id": 1, "at": at(1), "region": "us"}, {"id": 2, "at": at(1), "region": "us"}])
    world.run(project, partitions=("us",), only="landing")
    world.put([{"id": 1, "at": at(5), "region": "eu"}, {"id": 2, "at": at(1), "region": "us"}])
    world.run(project, partitions=("eu",))
    world.put([{"id": 2, "at": at(1), "region": "us"}])
    world.run(project, partitions=("eu",))
    assert world.ids() == []
    for stage in ("validated", "out"):
        world.run(project, partitions=("us",), only=stage)
    assert world.ids() == [1, 2]
    assert world.run(project, partitions=("us",)).error is None
    assert world.ids() == [2]
