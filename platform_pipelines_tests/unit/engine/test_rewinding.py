from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import new_token, plan_rewind, reset, rewind, state, watermark_history
from platform_pipelines.errors import StoreCorrupt, UsageError
from platform_pipelines_tests.unit.engine.world import FEED, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Rewound
    from platform_pipelines.engine.project import Project
    from platform_pipelines_tests.unit.engine.world import World

MERGE = [{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]


def merging(world: World, **changes: Any) -> Project:
    return world.project(destinations=MERGE, **changes)


def three_batches(world: World) -> Project:
    """Three runs: ids 1 and 2, then 3, then 4."""
    project = merging(world)
    rows = [{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}]
    for more in ([], [{"id": 3, "at": at(3)}], [{"id": 4, "at": at(4)}]):
        rows += more
        world.put(rows)
        assert world.run(project).status == "success"
    return project


def back(project: Project, to: str, partition: str | None = None, run: str = "pt-back") -> Rewound:
    return rewind(project, "p", to, partition, token=run)


def watermark(project: Project) -> Any:
    return state(project, "p").to_json()["watermark"]


@pytest.mark.parametrize("to", ["1/1", "1", "2024-01-01T00:00:02Z", "=2024-01-01T00:00:02Z"])
def test_the_next_run_reads_again_from_there_and_doubles_nothing(world: World, to: str) -> None:
    project = three_batches(world)
    back(project, to)
    assert watermark(project) == "2024-01-01T00:00:02Z"
    assert world.ids() == [1, 2, 3, 4]
    report = world.run(project)
    assert (report.status, report.read, watermark(project)) == ("success", 3, "2024-01-01T00:00:04Z")
    assert world.ids() == [1, 2, 3, 4]
    assert world.run(project).status == "nothing_new"


def test_rows_at_the_old_watermark_come_again_behind_a_rewind_to_a_watermark(world: World) -> None:
    """They are landed and loaded anew: whoever goes back wants what lies between to be read."""
    project = three_batches(world)
    back(project, "2024-01-01T00:00:02Z")
    report = world.run(project)
    assert (report.read, report.deduplicated, report.destinations["out"].rows) == (3, 0, 3)


def test_rows_that_came_too_late_are_read_then(world: World) -> None:
    project = three_batches(world)
    late = [{"id": n, "at": at(n)} for n in (1, 2, 3, 4)] + [{"id": 5, "at": at(2.5)}]
    world.put(late)
    world.run(project)
    assert world.ids() == [1, 2, 3, 4]
    back(project, "1/1")
    world.run(project)
    assert world.ids() == [1, 2, 3, 4, 5]


def test_an_older_version_read_again_overwrites_no_newer_one(world: World) -> None:
    project = three_batches(world)
    world.put([{"id": 3, "at": at(9), "v": "new"}])
    world.run(project)
    back(project, "1/1")
    world.put([{"id": 3, "at": at(3), "v": "old"}])
    world.run(project)
    assert next(row for row in world.rows() if row["id"] == 3)["v"] == "new"


def test_what_lies_at_the_old_watermark_is_not_landed_twice(world: World) -> None:
    project = three_batches(world)
    back(project, "1/2")
    report = world.run(project)
    assert (report.read, report.deduplicated) == (2, 1)


def test_a_rewind_repeated_after_a_crash_does_nothing_more(world: World) -> None:
    project = three_batches(world)
    first = back(project, "1/1", run="pt-a")
    again = back(project, "1/1", run="pt-b")
    assert (first.moved, again.moved) == (True, False)
    assert [entry.kind for entry in watermark_history(project, "p")] == [
        "rewind",
        "extract",
        "extract",
        "extract",
        "epoch",
    ]


def test_a_crash_before_the_manifest_leaves_the_feed_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from platform_pipelines.store import effects

    project = three_batches(world)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(effects, "create_if_absent", dies)
        with pytest.raises(KeyboardInterrupt):
            back(project, "1/1")
    assert watermark(project) == "2024-01-01T00:00:04Z"
    assert world.run(project).status == "nothing_new"


def test_a_log_that_lacks_what_a_destination_has_is_not_rewound(world: World) -> None:
    """The rewind would take the number of the lost batch, and whatever it had brought would stay for good."""
    project = merging(world)
    world.put([{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}])
    world.run(project)
    shutil.copytree(project.store.path, world.root / "backup")
    world.put([{"id": 3, "at": at(3)}])
    world.run(project)
    shutil.rmtree(project.store.path)
    (world.root / "backup").rename(project.store.path)
    for go in (back, lambda *where: plan_rewind(where[0], "p", where[1])):
        with pytest.raises(StoreCorrupt, match="has loaded batch 1/2 of p, which the landing log"):
            go(project, "2024-01-01T00:00:01Z")
    assert project.store.feed(FEED).sequences(1) == [1]
    world.put([{"id": 1, "at": at(1)}])
    assert world.run(project, full_refresh=True).status == "success"
    assert world.ids() == [1]


def test_history_tells_of_it(world: World) -> None:
    project = three_batches(world)
    back(project, "1/1")
    entry = watermark_history(project, "p")[0].to_json()
    assert (entry["kind"], entry["run"], entry["sequence"]) == ("rewind", "pt-back", 4)
    assert entry["watermark"] == {"from": "2024-01-01T00:00:04Z", "to": "2024-01-01T00:00:02Z"}
    assert entry["rows"] == {"read": 0, "landed": 0, "rejected": 0}


def test_rules_on_whole_batches_do_not_judge_a_rewind(world: World) -> None:
    rules = {
        "rules": [{"id": "some", "type": "volume", "min_rows": 1, "severity": "error"}],
        "gate": {"max_rejected": 0},
    }
    project = merging(world, quality=rules)
    for n in (1, 2):
        world.put([{"id": i, "at": at(i)} for i in range(1, n + 1)])
        world.run(project)
    back(project, "1/1")
    assert world.run(project).status == "success"


def test_transforms_between_do_not_matter(world: World) -> None:
    project = merging(world, transforms=[{"map": {"id": "id", "at": "at", "double": {"from": "v", "convert": "int"}}}])
    world.put([{"id": 1, "at": at(1), "v": "1"}])
    world.run(project)
    world.put([{"id": 1, "at": at(1), "v": "1"}, {"id": 2, "at": at(2), "v": "2"}])
    world.run(project)
    back(project, "1/1")
    assert world.run(project).status == "success"
    assert all("v" not in row for row in world.rows())
    assert world.ids() == [1, 2]


def test_an_integer_cursor_may_be_named_with_a_sign(world: World) -> None:
    project = merging(
        world, source={"connector": "mem", "stream": "rows", "mode": "incremental", "cursor": {"field": "id"}}
    )
    for n in (2, 3, 4):
        world.put([{"id": i, "at": at(1)} for i in range(1, n + 1)])
        world.run(project)
    assert (plan_rewind(project, "p", "2").batch is not None, plan_rewind(project, "p", "2").after.plain()) == (True, 3)
    assert (plan_rewind(project, "p", "=2").batch, plan_rewind(project, "p", "=2").after.plain()) == (None, 2)
    back(project, "=1")
    assert world.run(project).read == 4
    assert world.ids() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("1/9", "has no batch 1/9 in its current epoch. Its last batches: 1/1, 1/2, 1/3."),
        ("9", "has no batch 9"),
        ("2/1", "has no batch 2/1"),
        ("yesterday", "is not a value of the cursor's type timestamptz"),
        ("2030-01-01T00:00:00Z", "lies ahead of the watermark"),
    ],
)
def test_what_is_no_place_to_go_back_to(world: World, to: str, said: str) -> None:
    project = three_batches(world)
    with pytest.raises(UsageError, match=said):
        plan_rewind(project, "p", to)
    with pytest.raises(UsageError, match=said):
        back(project, to)
    assert watermark(project) == "2024-01-01T00:00:04Z"


def test_pipelines_that_cannot_go_back(world: World) -> None:
    with pytest.raises(UsageError, match="would double rows in out"):
        plan_rewind(world.project(), "p", "1")
    with pytest.raises(UsageError, match="reads everything each time"):
        plan_rewind(merging(world, source={"connector": "mem", "stream": "rows"}), "p", "1")
    with pytest.raises(UsageError, match="has no watermark to rewind"):
        plan_rewind(merging(world), "p", "1")
    project = three_batches(world)
    reset(project, "p", token=new_token())
    with pytest.raises(UsageError, match="about to be read anew"):
        plan_rewind(project, "p", "1/1")


def test_a_partition_is_rewound_alone(world: World) -> None:
    project = merging(world, partitions={"by": "value", "field": "region", "values": ["eu", "us"]})
    world.put([{"id": 1, "at": at(1), "region": "eu"}, {"id": 2, "at": at(2), "region": "us"}])
    world.run(project)
    world.put([{"id": n, "at": at(n), "region": "eu" if n % 2 else "us"} for n in (1, 2, 3, 4)])
    world.run(project)
    with pytest.raises(UsageError, match="A partition is needed"):
        plan_rewind(project, "p", "1")
    back(project, "1/1", "eu")
    marks = {feed.feed.partition: feed.watermark.plain() for feed in state(project, "p").feeds if feed.watermark}
    assert marks == {"eu": "2024-01-01T00:00:01Z", "us": "2024-01-01T00:00:04Z"}
    world.run(project)
    assert world.ids() == [1, 2, 3, 4]


def test_the_rest_of_an_interrupted_read_is_not_gone_on_with(world: World) -> None:
    """The place to resume from belongs to the read that was broken off."""
    project = three_batches(world)
    log = project.store.feed(FEED)
    back(project, "1/1")
    last = log.last(1)
    assert last is not None
    assert (last.resume, last.complete) == (None, True)


def test_behind_a_batch_of_deletes(world: World) -> None:
    deletes = {"detect": "key_difference", "max_share": 1, "action": "hard"}
    source = {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at"},
        "deletes": deletes,
    }
    project = merging(world, source=source)
    for ids in ((1, 2, 3), (1, 3)):
        world.put([{"id": n, "at": at(n), "v": n} for n in ids])
        world.run(project)
    back(project, "2024-01-01T00:00:01Z")
    assert world.run(project).status == "success"
    assert world.ids() == [1, 3]


@pytest.mark.parametrize("value", [5, "five", [5], {"five": 5}, at(5)])
def test_a_column_that_went_since_the_batch_gone_back_to_is_null(world: World, value: Any) -> None:
    """The other partition's full refresh agreed on columns without it; no file of the next load has it."""
    project = merging(
        world,
        partitions={"by": "value", "field": "region", "values": ["eu", "us"]},
        quality={"schema_contract": {"missing_columns": "null"}},
    )
    world.put([{"id": n, "at": at(n), "region": region, "x": value} for n, region in enumerate(("eu", "us"))])
    assert world.run(project).status == "success"
    world.put([{"id": n, "at": at(n + 1), "region": region} for n, region in enumerate(("eu", "us"))])
    assert world.run(project, partitions=("eu",), full_refresh=True).status == "success"
    back(project, "=2024-01-01T00:00:00Z", "us")
    report = world.run(project, partitions=("us",))
    assert (report.status, report.error) == ("success", None)
    assert [row["x"] for row in world.rows() if row["region"] == "us"] == [None]
