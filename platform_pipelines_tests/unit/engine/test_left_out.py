"""Batches that nothing changed: their good rows stay in the landed files, and the rejected ones are left out."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.api.records import RunRecords
from platform_pipelines.engine import dead_letters, explain, replay_dead_letters, retention
from platform_pipelines.engine.context import utc_now
from platform_pipelines.errors import StoreCorrupt
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project
    from platform_pipelines.store import Verdict

_SMALL = {"id": "small", "type": "range", "field": "n", "max": 100}


def project_of(world: World, *rules: dict[str, Any], **changes: Any) -> Project:
    return world.project(quality={"rules": list(rules or [_SMALL])}, **changes)


def put(world: World, **numbers: int) -> None:
    rows = [{"id": int(name[1:]), "n": number, "at": at(int(name[1:]))} for name, number in numbers.items()]
    world.put(rows)


def verdict(project: Project, sequence: int = 1) -> Verdict:
    found = project.store.feed(FEED).verdict(1, sequence)
    assert found is not None
    return found


def test_good_rows_are_not_written_again(world: World) -> None:
    project = project_of(world)
    put(world, r1=5, r2=500, r3=7)
    report = world.run(project)
    sealed = verdict(project)
    assert world.ids() == [1, 3]
    assert sealed.files == project.store.feed(FEED).manifest(1, 1).files
    assert [file.rows for file in sealed.left_out] == [1]
    assert (sealed.rows_in, sealed.rows_out, sealed.rejected) == (3, 2, 1)
    assert (report.read, report.rejected, report.destinations["out"].rows) == (3, 1, 2)


def test_a_batch_without_a_bad_row_has_no_file_of_its_own(world: World) -> None:
    project = project_of(world)
    put(world, r1=5)
    world.run(project)
    assert (verdict(project).left_out, verdict(project).dead) == ((), ())
    names = [path.name for path in project.store.feed(FEED).epoch_folder(1).iterdir()]
    assert not [name for name in names if name.endswith(".valid")]


def test_rows_that_a_transform_made_are_written(world: World) -> None:
    project = project_of(world, transforms=[{"filter": "n > 0"}])
    put(world, r1=5, r2=500)
    world.run(project)
    assert verdict(project).left_out == ()
    assert verdict(project).files != project.store.feed(FEED).manifest(1, 1).files
    assert world.ids() == [1]


def test_every_row_may_be_rejected(world: World) -> None:
    project = project_of(world)
    put(world, r1=500, r2=501)
    world.run(project)
    put(world, r3=5)
    assert world.run(project).status == "success"
    assert world.ids() == [3]


def test_the_newest_version_that_passed_is_merged(world: World) -> None:
    target = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
    project = project_of(world, destinations=[target])
    world.put([{"id": 1, "n": 1, "at": at(1)}, {"id": 1, "n": 500, "at": at(2)}, {"id": 2, "n": 2, "at": at(1)}])
    world.run(project)
    assert sorted((row["id"], row["n"]) for row in world.rows()) == [(1, 1), (2, 2)]


def test_unique_rules_keep_one_row_of_each_key(world: World) -> None:
    project = project_of(world, {"id": "once", "type": "unique", "fields": ["n"]}, _SMALL)
    put(world, r1=5, r2=5, r3=700, r4=700, r5=6)
    world.run(project)
    assert world.ids() == [2, 5]
    letters = sorted((each["record"]["id"], each["rule"]) for each in dead_letters(project, "p"))
    assert letters == [(1, "once"), (3, "once"), (4, "small")]


def test_the_row_of_a_key_is_explained(world: World) -> None:
    target = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
    project = project_of(world, destinations=[target])
    put(world, r1=5, r2=500)
    world.run(project)
    assert [each.outcome for each in explain(project, "p", "1").versions] == ["passed"]
    assert [each.outcome for each in explain(project, "p", "2").versions] == ["rejected"]


def test_a_replay_leaves_out_what_is_rejected_again(world: World) -> None:
    project = project_of(world)
    put(world, r1=5, r2=500, r3=50_000)
    world.run(project)
    lenient = project_of(world, {**_SMALL, "max": 1000})
    replay_dead_letters(lenient, "p")
    assert world.ids() == [1, 2]
    assert [each["record"]["id"] for each in dead_letters(lenient, "p")] == [3]


def test_the_api_reads_the_rows_that_passed(world: World) -> None:
    project = project_of(world)
    put(world, r1=5, r2=500, r3=7)
    report = world.run(project)
    records = RunRecords(project, project.pipeline("p"), report.token)
    (judged,) = records.loaded(FEED, ["out"])
    assert [row["id"] for row in records.loaded_rows(FEED, judged)] == [1, 3]


def test_a_profile_is_of_the_rows_that_passed(world: World) -> None:
    project = world.project(quality={"rules": [_SMALL], "profile": True})
    put(world, r1=5, r2=500, r3=7)
    report = world.run(project)
    entries = project.store.runs.entries("p", report.token)
    (entry,) = [each for each in entries if each.stage == "validated"]
    (column,) = [each for each in entry.body["profile"] if each["name"] == "n"]
    assert (column["min"], column["max"]) == ("5", "7")


def test_places_go_with_the_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_of(world)
    for number in (1, 2):
        put(world, **{f"r{number}": 500, f"r{number + 10}": 5})
        world.run(project)
    monkeypatch.setenv("PIPELINES_RETENTION", "1d")
    monkeypatch.setattr(retention, "utc_now", lambda: utc_now() + dt.timedelta(days=2))
    assert retention.prune(world.context(project), FEED) == 1
    folder = project.store.feed(FEED).epoch_folder(1)
    gone, kept = verdict(project, 1), verdict(project, 2)
    assert not [file for file in (*gone.files, *gone.left_out) if (folder / file.path).exists()]
    assert all((folder / file.path).exists() for file in (*kept.files, *kept.left_out, *gone.dead))


def test_nothing_is_loaded_without_the_places(world: World) -> None:
    project = project_of(world)
    put(world, r1=5, r2=500)
    world.run(project, only="landing")
    world.run(project, only="validated")
    (places,) = verdict(project).left_out
    (project.store.feed(FEED).epoch_folder(1) / places.path).unlink()
    report = world.run(project)
    assert report.status == "failed"
    assert isinstance(report.errors[0], StoreCorrupt)
    assert "left-out" in str(report.error)


def test_columns_may_be_named_as_places_are_elsewhere(world: World) -> None:
    names = ["_file", "_row", "_batch", "_version", "file_index", "FILE_ROW_NUMBER", "filename"]
    target = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}
    project = project_of(world, destinations=[target])
    world.put([{"id": 1, "n": n, "at": at(n), **dict.fromkeys(names, n)} for n in (5, 6, 500)])
    report = world.run(project)
    assert report.error is None
    assert [[row[name] for name in names] for row in world.rows()] == [[6] * len(names)]
    assert [each.outcome for each in explain(project, "p", "1").versions][-2:] == ["passed", "rejected"]


def test_the_first_row_of_a_key_is_kept_where_another_rule_looks_into_a_table(world: World) -> None:
    keys = 150_000  # more than are told apart before the rows are read
    known = {"connector": "mem", "table": "known", "field": "id"}
    once = {"id": "once", "type": "unique", "fields": ["k"]}
    exists = {"id": "exists", "type": "foreign_key", "field": "id", "reference": known}
    source = {"connector": "mem", "stream": "rows", "mode": "full_refresh"}
    project = project_of(world, once, exists, source=source)
    world.put(pa.table({"id": range(2 * keys), "k": [*range(keys), *range(keys)]}))
    world.put(pa.table({"id": range(2 * keys)}), "known")
    assert world.run(project).rejected == keys
    assert world.ids() == list(range(keys))
    log = project.store.feed(FEED)
    places = [pq.read_table(path)["row"].to_pylist() for path in log.paths(1, verdict(project).left_out)]
    assert places == [list(range(keys, 2 * keys))]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[], None], pa.list_(pa.null())),
        pa.array([{"b": None}, None], pa.struct([("b", pa.null())])),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16), None], pa.binary(16))),
    ],
)
def test_rows_are_written_where_their_type_is_lost_on_the_way(world: World, column: pa.Array) -> None:
    project = project_of(world)
    world.put(pa.table({"id": [1, 2], "n": [5, 500], "at": pa.array([at(1), at(2)]), "c": column}))
    assert world.run(project).error is None
    assert world.ids() == [1]
    assert verdict(project).left_out == ()


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us", "Europe/Berlin"), pa.duration("us"), pa.dictionary(pa.int32(), pa.string())]
)
def test_dead_letters_come_back_into_a_column_of_any_type(world: World, kind: pa.DataType) -> None:
    project = project_of(world)
    column = pa.array([None, None], kind)
    world.put(pa.table({"id": [1, 2], "n": [5, 500], "at": pa.array([at(1), at(2)]), "c": column}))
    world.run(project)
    lenient = project_of(world, {**_SMALL, "max": 1000})
    assert replay_dead_letters(lenient, "p").error is None
    assert world.ids() == [1, 2]
