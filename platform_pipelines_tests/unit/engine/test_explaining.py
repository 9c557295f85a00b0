"""Why is this row not here? Each way a row can go, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import Explanation, explain, new_token, replay_dead_letters, reset
from platform_pipelines.errors import UsageError
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from platform_pipelines.engine.project import Project
    from platform_pipelines_tests.unit.engine.world import World

MERGE = {"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}


def merging(world: World, **changes: Any) -> Project:
    return world.project(**({"destinations": [MERGE]} | changes))


def rows(*ids: int, **values: Any) -> list[dict[str, Any]]:
    return [{"id": n, "at": at(n), "v": n * 10} | values for n in ids]


def why(project: Project, key: str = "2", **options: Any) -> Explanation:
    return explain(project, "p", key, **options)


def only(found: Explanation) -> dict[str, Any]:
    assert len(found.versions) == 1, found
    return found.versions[0].to_json()


def test_loaded(world: World) -> None:
    project = merging(world)
    world.put(rows(1, 2))
    report = world.run(project)
    found = why(project)
    body = only(found)
    assert (body["epoch"], body["sequence"], body["outcome"], body["run"]) == (1, 1, "passed", report.token)
    assert (body["row"], body["cursor"]) == (1, "2024-01-01T00:00:02Z")
    assert (project.store.feed(project.store.feeds("p")[0]).folder / body["file"]).is_file()
    assert found.destinations["out"].status == "loaded"
    assert found.destinations["out"].to_json()["offset"] == {"epoch": 1, "sequence": 1}
    assert found.notes == ("p has been read up to 2024-01-01T00:00:02Z.",)


def test_never_read(world: World) -> None:
    project = merging(world)
    world.put(rows(1))
    world.run(project)
    found = why(project)
    assert (found.versions, found.to_json()["found"], found.retired) == ((), False, ())
    assert found.destinations["out"].status == "absent"


def test_rejected_by_a_rule_and_brought_back(world: World) -> None:
    small = {"rules": [{"id": "small", "type": "range", "field": "v", "max": 15, "severity": "error"}]}
    world.put(rows(1, 2))
    world.run(merging(world, quality=small))
    body = only(why(merging(world, quality=small)))
    assert (body["outcome"], body["rule"]) == ("rejected", "small")
    assert "v" in body["reason"]
    assert body["detail"].startswith("rejected by rule small: ")
    assert why(merging(world)).destinations["out"].status == "absent"
    replay_dead_letters(merging(world), "p")
    found = why(merging(world))
    assert [(v.kind, v.outcome) for v in found.versions] == [("extract", "rejected"), ("replay", "passed")]
    assert found.versions[0].detail.endswith("; brought back by batch 1/2")
    assert found.destinations["out"].status == "loaded"


def test_stopped_by_a_transform_that_renames_the_key(world: World) -> None:
    """Its dead letter still has the columns of before."""
    broken = [{"label": "Count", "map": {"key": "id", "at": "at", "n": {"from": "v", "convert": "int"}}}]
    keyed = [MERGE | {"key": ["key"]}]
    world.put([{"id": 1, "at": at(1), "v": "10"}, {"id": 2, "at": at(2), "v": "x"}])
    project = merging(world, transforms=broken, destinations=keyed)
    world.run(project)
    body = only(why(project))
    assert (body["outcome"], body["rule"]) == ("rejected", "transform:Count")
    mended = [
        {"label": "Count", "map": {"key": "id", "at": "at", "n": {"from": "gone", "convert": "int", "default": 0}}}
    ]
    project = merging(world, transforms=mended, destinations=keyed)
    replay_dead_letters(project, "p")
    found = why(project)
    assert found.versions[0].detail.endswith("; brought back by batch 1/2")
    assert found.destinations["out"].status == "loaded"


def test_filtered_by_a_transform(world: World) -> None:
    transforms = [
        {"map": {"key": "id", "at": "at", "v": "v"}},
        {"label": "only small ones", "filter": "v < 15"},
        {"label": "never reached", "filter": "v < 5"},
    ]
    project = merging(world, transforms=transforms[:2], destinations=[MERGE | {"key": ["key"]}])
    world.put(rows(1, 2))
    world.run(project)
    body = only(why(project))
    assert (body["outcome"], body["transform"]) == ("filtered", "only small ones")
    assert body["detail"] == "filtered by transform `only small ones` (filter)"
    assert only(why(project, "id=2"))["outcome"] == "filtered"  # by its name before the transforms
    assert only(why(project, "1"))["outcome"] == "passed"


def test_gone_into_a_transform_that_makes_new_rows(world: World) -> None:
    project = merging(world, transforms=[{"label": "odd ones", "sql": "select * from input where id % 2 = 1"}])
    world.put(rows(1, 2))
    world.run(project)
    body = only(why(project))
    assert (body["outcome"], body["transform"]) == ("unknown", "odd ones")
    assert "cannot be followed" in body["detail"]


def test_could_not_be_converted(world: World) -> None:
    project = merging(world, transforms=[{"map": {"id": "id", "at": "at", "v": {"from": "v", "convert": "int"}}}])
    world.put([{"id": 1, "at": at(1), "v": "1"}, {"id": 2, "at": at(2), "v": "two"}])
    world.run(project)
    body = only(why(project))
    assert (body["outcome"], body["rule"]) == ("rejected", "transform:map 1")
    assert "two" in body["reason"]


def test_held_at_the_gate_waiting_behind_it_and_discarded(world: World) -> None:
    small = {
        "rules": [{"id": "small", "type": "range", "field": "v", "max": 5, "severity": "error"}],
        "gate": {"max_rejected": 0},
    }
    project = merging(world, quality=small)
    world.put(rows(1, 2))
    assert world.run(project).status == "gate_closed"
    assert only(why(project))["outcome"] == "held"
    assert only(why(project))["detail"].startswith("held at the gate: ")
    world.put(rows(1, 2, 3))
    world.run(project)
    assert only(why(project, "3"))["detail"] == "waiting behind batch 1/1, which the gate holds"
    assert why(project).destinations["out"].status == "pending"
    world.run(project, decision="discard")
    assert (only(why(project))["outcome"], only(why(project))["rule"]) == ("rejected", "discarded")


def test_landed_and_not_judged_passed_and_not_loaded(world: World) -> None:
    project = merging(world)
    world.put(rows(1, 2))
    world.run(project, only="landing")
    assert only(why(project))["outcome"] == "waiting"
    world.run(project, only="validated")
    fate = why(project).destinations["out"]
    assert (fate.status, fate.detail) == ("pending", "Batch 1/1 is not loaded yet (it has loaded nothing).")


def test_overwritten_by_a_newer_version_and_by_an_equal_one(world: World) -> None:
    project = merging(world)
    for second in (2, 7, 7.5):
        world.put([{"id": 2, "at": at(second), "v": 1}])
        world.run(project)
    fate = why(project).destinations["out"]
    assert fate.version is not None
    assert (fate.status, fate.version.place) == ("loaded", "1/3")
    assert [(version.place, detail) for version, detail in fate.overwritten] == [
        ("1/1", "overwritten by batch 1/3 (cursor 2024-01-01T00:00:07.5Z)"),
        ("1/2", "overwritten by batch 1/3 (cursor 2024-01-01T00:00:07.5Z)"),
    ]


def test_an_older_version_that_came_later_and_a_double_in_one_batch(world: World) -> None:
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at", "lag": "1h"}}
    project = merging(world, source=source)
    world.put([{"id": 2, "at": at(5), "v": 1}, {"id": 2, "at": at(9), "v": 2}])
    world.run(project)
    world.put([{"id": 2, "at": at(9), "v": 2}, {"id": 2, "at": at(6), "v": 3}])
    world.run(project)
    fate = why(project).destinations["out"]
    assert fate.version is not None
    assert fate.version.place == "1/1"
    assert [(version.place, detail.split(":")[0]) for version, detail in fate.overwritten] == [
        ("1/1", "deduplicated"),
        ("1/2", "left out"),
    ]
    assert world.rows()[0]["v"] == 2


@pytest.mark.parametrize(("action", "status"), [("hard", "deleted"), ("soft", "loaded")])
def test_deleted_by_a_marked_version(world: World, action: str, status: str) -> None:
    source = {"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "at"}}
    project = merging(world, source=source | {"deletes": {"field": "gone", "action": action}})
    schema = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("gone", pa.string())])
    for second, gone in ((1, None), (3, "yes")):
        table = pa.Table.from_pylist([{"id": 2, "at": at(second), "gone": gone}], schema=schema)
        MemoryConnector.put("rows", table, world.space)
        world.run(project)
    fate = why(project).destinations["out"]
    assert (fate.status, "`gone`" in fate.detail) == (status, True)
    assert fate.version is not None
    assert (f"batch 1/2 of run {fate.version.run}," in fate.detail) == (action == "hard")
    assert len(world.rows()) == (0 if action == "hard" else 1)


@pytest.mark.parametrize("action", ["hard", "soft"])
def test_gone_at_the_source_and_come_back(world: World, action: str) -> None:
    deletes = {"detect": "key_difference", "max_share": 1, "action": action}
    source = {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at"},
        "deletes": deletes,
    }
    project = merging(world, source=source)
    for ids in ((1, 2), (1,)):
        world.put(rows(*ids))
        world.run(project)
    found = why(project)
    assert [(v.kind, v.outcome) for v in found.versions] == [("extract", "passed"), ("deletes", "passed")]
    fate = found.destinations["out"]
    assert (fate.status, fate.overwritten[0][1]) == ("deleted", "removed by batch 1/2")
    assert "the source had no such key any more" in fate.detail
    assert f"with batch 1/2 of run {found.versions[1].run}," in fate.detail
    world.put([{"id": 1, "at": at(1), "v": 10}, {"id": 2, "at": at(3), "v": 20}])
    world.run(project)
    fate = why(project).destinations["out"]
    assert fate.version is not None
    assert (fate.status, fate.version.place) == ("loaded", "1/3")


def test_replaced_by_a_full_refresh_without_it(world: World) -> None:
    project = merging(world)
    world.put(rows(1, 2))
    world.run(project)
    reset(project, "p", token=new_token())
    assert why(project).notes == ("p is about to be read anew (reset).",)
    world.put(rows(1))
    assert world.run(project, only="landing").status == "success"
    world.run(project, only="validated")
    found = why(project)
    assert (only(found)["outcome"], found.destinations["out"].status) == ("replaced", "loaded")
    world.run(project)
    assert why(project).retired == ("1/1",)  # its files went once every destination had the new epoch


def test_removed_by_retention(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "0h")
    project = merging(world)
    for n in (1, 2, 3):
        world.put(rows(*range(1, n + 1)))
        world.run(project)
    found = why(project, "1")
    assert (found.versions, found.retired) == ((), ("1/1", "1/2"))
    assert only(why(project, "3"))["outcome"] == "passed"


def test_rows_without_a_cursor_are_noted(world: World) -> None:
    cursor = {"field": "at", "on_missing": "skip"}
    project = merging(world, source={"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": cursor})
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": None}])
    world.run(project)
    found = why(project)
    assert found.versions == ()
    assert "p: rows left out as their cursor is NULL: 1; only their number is kept." in found.notes


def test_destinations_that_append_hold_rows_beside_each_other(world: World) -> None:
    project = world.project()
    for second in (2, 7):
        world.put([{"id": 2, "at": at(second), "v": second}])
        world.run(project)
    fate = why(project, "id=2").destinations["out"]
    assert (fate.status, fate.overwritten) == ("loaded", ())
    assert fate.detail == "2 rows loaded with batch 1/1, 1/2 (its offset is 1/2)."


def test_partitions(world: World) -> None:
    project = merging(world, partitions={"by": "value", "field": "region", "values": ["eu", "us"]})
    world.put(rows(1, region="eu") + rows(2, region="us"))
    world.run(project)
    assert only(why(project))["partition"] == "us"
    assert why(project, partition="eu").versions == ()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("a=1,b=x", {"a": "1", "b": "x"}),
        ("1,x", {"a": "1", "b": "x"}),
        ('b="x,y", a=1', None),
        ('1,"x,y"', {"a": "1", "b": "x,y"}),
        ("1,a=b", {"a": "1", "b": "a=b"}),
        ("b=x", {"b": "x"}),
        ("1", None),
        ("c=1", None),
        ("", None),
    ],
)
def test_keys_of_several_columns(world: World, key: str, values: dict[str, str] | None) -> None:
    project = merging(world, destinations=[MERGE | {"key": ["a", "b"]}])
    world.put([{"a": 1, "b": b, "at": at(1)} for b in ("x", "x,y", "a=b")])
    world.run(project)
    if values is None:
        with pytest.raises(UsageError, match=r"is no key of `p`. Keys: a, b \(destination `out`\)"):
            why(project, key)
        return
    found = why(project, key)
    assert (found.key, len(found.versions)) == (values, 1)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (pa.string(), "007", "007"),
        (pa.int64(), 9223372036854775807, "9223372036854775807"),
        (pa.decimal128(10, 2), "1.50", "1.5"),
        (pa.float64(), 1.5, "1.50"),
        (pa.date32(), "2024-01-31", "2024-01-31"),
        (pa.timestamp("us", "UTC"), "2024-01-31T10:00:00+00:00", "2024-01-31T11:00:00+01:00"),
        (pa.bool_(), True, "true"),
        (pa.string(), "x' or '1'='1", "x' or '1'='1"),
        (pa.string(), '"; drop table traced_file; --', '"""; drop table traced_file; --"'),
    ],
)
def test_values_are_compared_as_their_type_compares(world: World, kind: pa.DataType, value: Any, text: str) -> None:
    column = pa.array([value]).cast(kind) if isinstance(value, str) and kind != pa.string() else pa.array([value], kind)
    table = pa.table({"id": column, "at": pa.array([at(1)], pa.timestamp("us", "UTC"))})
    MemoryConnector.put("rows", table, world.space)
    project = merging(world)
    world.run(project)
    assert only(why(project, text))["outcome"] == "passed"
    assert why(project, "8").versions == ()
