"""A row that was found gone and comes back as it was, its cursor at the watermark: it is loaded again, and once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from platform_pipelines import durable
from platform_pipelines.engine import retention, rewinding
from platform_pipelines.engine.context import utc_now
from platform_pipelines_tests.unit.engine.deleting import MERGE, detecting, rows, source
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from platform_pipelines.engine import Project, RunReport

Rows = list[dict[str, Any]]
ONE_MORE = {"id": 4, "at": at(3), "v": "v4"}


def run(world: World, project: Project, source_rows: Rows, **options: Any) -> RunReport:
    """The source is these rows; the table is them afterwards."""
    world.put(source_rows)
    report = world.run(project, **options)
    assert report.error is None
    assert sorted(world.rows(), key=_id) == sorted(source_rows, key=_id)
    return report


def _id(row: dict[str, Any]) -> int:
    return int(row["id"])


@pytest.mark.parametrize("others", [[], [ONE_MORE]], ids=["alone", "with another row"])
def test_at_the_watermark(world: World, others: Rows) -> None:
    project = detecting(world)
    whole, left = [*rows(1, 2, 3), *others], [*rows(1, 2), *others]
    run(world, project, whole)
    for _ in range(2):
        assert run(world, project, left).destinations["out"].rows == 1
        assert run(world, project, whole).destinations["out"].rows == 1
        assert run(world, project, whole).status == "nothing_new"


def test_only_the_row_that_was_gone_lands_again(world: World) -> None:
    project = detecting(world)
    same = [{"id": i, "at": at(3), "v": "v"} for i in range(6)]
    run(world, project, same)
    run(world, project, same[:4])
    report = run(world, project, same)
    assert (report.read, report.deduplicated) == (6, 4)


def test_a_version_that_did_not_move_its_cursor(world: World) -> None:
    project = detecting(world)
    run(world, project, rows(1, 2, 3))
    changed = [*rows(1, 2), rows(3)[0] | {"v": "changed"}]
    run(world, project, changed)
    run(world, project, rows(1, 2))
    run(world, project, rows(1, 2, 3))
    assert run(world, project, changed).destinations["out"].rows == 1


def test_a_row_found_new_in_the_run_that_finds_another_gone(world: World) -> None:
    project = detecting(world)
    run(world, project, rows(1, 2, 3))
    run(world, project, [*rows(1, 2), ONE_MORE])
    run(world, project, [*rows(1, 2, 3), ONE_MORE])
    assert run(world, project, [*rows(1, 2, 3), ONE_MORE]).status == "nothing_new"


def test_within_the_lag(world: World) -> None:
    project = detecting(world, source=source() | {"cursor": {"field": "at", "lag": "3s"}})
    run(world, project, rows(1, 2, 3, 4, 5))
    run(world, project, rows(1, 4, 5))
    assert run(world, project, rows(1, 3, 4, 5)).destinations["out"].rows == 1
    assert run(world, project, rows(1, 2, 3, 4, 5)).destinations["out"].rows == 1


def test_without_a_cursor(world: World) -> None:
    cursor = {"cursor": {"field": "at", "on_missing": "include"}}
    project = detecting(world, source=source() | cursor)
    none = [{"id": i, "at": None, "v": "none"} for i in (7, 8)]
    run(world, project, [*rows(1, 2), *none])
    for _ in range(2):
        run(world, project, [*rows(1, 2), none[0]])
        run(world, project, [*rows(1, 2), *none])
        assert run(world, project, [*rows(1, 2), *none]).status == "nothing_new"


def test_of_any_type(world: World) -> None:
    project = detecting(world)
    values = {
        "naive": (at(0.00012).replace(tzinfo=None), pa.timestamp("ns")),
        "seconds": (at(43_200).replace(tzinfo=None), pa.timestamp("s")),
        "day": (dt.date(2024, 1, 1), pa.date32()),
        "time": (dt.time(1, 2, 3, 4), pa.time64("us")),
        "exact": (Decimal("1.50"), pa.decimal128(38, 9)),
        "double": (0.1, pa.float64()),
        "single": (0.1, pa.float32()),
        "unsigned": (2**64 - 1, pa.uint64()),
        "flag": (True, pa.bool_()),
        "bytes": (b"\x00\xff", pa.binary()),
        "large": ("ü", pa.large_string()),
        "word": ("w", pa.dictionary(pa.int32(), pa.string())),
        "list": ([1, None], pa.list_(pa.int16())),
        "record": ({"a": "x", "b": [1.5]}, pa.struct([("a", pa.string()), ("b", pa.list_(pa.float64()))])),
        "map": ([("k", 1)], pa.map_(pa.string(), pa.int64())),
        "nothing": (None, pa.null()),
    }
    base = {"id": pa.array([1, 2, 3]), "at": pa.array([at(1), at(3), at(3)], pa.timestamp("us", "UTC"))}
    table = pa.table(base | {name: pa.array([value] * 3, kind) for name, (value, kind) in values.items()})
    for found in (table, table.slice(0, 2), table, table.slice(0, 2), table):
        world.put(found)
        assert world.run(project).error is None
        assert world.ids() == [1, 2, 3][: found.num_rows]
    report = world.run(project)
    assert (report.status, report.deduplicated) == ("nothing_new", 2)


def test_in_its_partition(world: World) -> None:
    partitions = {"by": "value", "field": "v", "values": ["eu", "us"]}
    project = detecting(world, {"max_share": 1}, partitions=partitions)
    whole = [{"id": i, "at": at(3), "v": place} for i, place in enumerate(("eu", "us", "eu", "us"))]
    both = ("eu", "us")
    run(world, project, whole, partitions=both)
    run(world, project, whole[:2], partitions=both)
    run(world, project, whole, partitions=both)
    assert run(world, project, whole, partitions=both).status == "nothing_new"


def test_behind_a_rename_and_a_mask(world: World) -> None:
    project = detecting(
        world,
        transforms=[{"mask": {"v": "redact"}, "at": "landing"}, {"map": {"number": "id", "id": None}}],
        destinations=[MERGE | {"key": ["number"]}],
    )
    for ids in ((1, 2, 3), (1, 2), (1, 2, 3)):
        world.put(rows(*ids))
        assert world.run(project).error is None
        assert sorted(row["number"] for row in world.rows()) == list(ids)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_dies_as_it_commits_the_deletes(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: durable.Moment
) -> None:
    project = detecting(world)
    run(world, project, rows(1, 2, 3))
    world.put(rows(1, 2))

    def die(when: durable.Moment, kind: str, what: str) -> None:
        if (when, kind) == (moment, "link") and what.endswith("000002.json"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(durable, "hook", die)
        with pytest.raises(KeyboardInterrupt):
            world.run(project)
    assert len(project.store.feed(FEED).sequences(1)) == (1 if moment == "before" else 2)
    run(world, project, rows(1, 2, 3))
    assert run(world, project, rows(1, 2, 3)).status == "nothing_new"
    run(world, project, rows(1, 2))
    run(world, project, rows(1, 2, 3))


@pytest.fixture
def soon_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each load removes the files of batches that nobody needs, but for the last one's."""
    monkeypatch.setenv("PIPELINES_RETENTION", "1h")
    monkeypatch.setattr(retention, "utc_now", lambda: utc_now() + dt.timedelta(days=2))


def kept(project: Project) -> list[int]:
    """The batches that have files still."""
    folders = project.store.feed(FEED).epoch_folder(1).glob("*-*")
    return sorted({int(folder.name[:6]) for folder in folders if folder.is_dir() and folder.suffix != ".keys"})


@pytest.mark.usefixtures("soon_gone")
def test_batches_at_the_watermark_are_kept_beyond_their_time(world: World) -> None:
    project = detecting(world)
    same = [{"id": i, "at": at(2), "v": "same"} for i in range(5)]
    run(world, project, same)
    run(world, project, same[:4])
    run(world, project, same[:3])
    assert kept(project) == [1, 2, 3]
    run(world, project, same)
    assert run(world, project, same).status == "nothing_new"
    run(world, project, [*same, *rows(9)])
    run(world, project, [*same, *rows(9, 10)])
    assert kept(project) == [2, 3, 6], "deletes are kept for replays"


@pytest.mark.usefixtures("soon_gone")
def test_a_row_without_a_cursor_whose_batch_went(world: World) -> None:
    cursor = {"cursor": {"field": "at", "on_missing": "include"}}
    project = detecting(world, source=source() | cursor)
    none = [{"id": i, "at": None, "v": "none"} for i in (7, 8)]
    run(world, project, [*rows(1, 2), *none])
    run(world, project, [*rows(1, 2, 3), *none])
    assert kept(project) == [2]
    run(world, project, [*rows(1, 2, 3), none[0]])
    run(world, project, [*rows(1, 2, 3), *none])
    assert run(world, project, [*rows(1, 2, 3), *none]).status == "nothing_new"


def test_after_a_rewind_to_a_batch_before_the_delete(world: World) -> None:
    project = detecting(world)
    run(world, project, rows(1, 2, 3))
    run(world, project, rows(1, 2))
    run(world, project, rows(1, 2, 5))
    rewinding.rewind(project, "p", "1/1", token="t")  # noqa: S106 - no secret
    run(world, project, rows(1, 2, 3, 5))
    assert run(world, project, rows(1, 2, 3, 5)).status == "nothing_new"


def test_another_cursor_with_lag(world: World) -> None:
    """Batches from before it had no such column."""
    project = detecting(world, cursor={"field": "at", "lag": "10s"})
    run(world, project, rows(1, 2, 3))
    later = detecting(world, cursor={"field": "mod", "lag": "10s"})
    whole = [each | {"mod": each["at"]} for each in rows(1, 2, 3, 4)]
    world.put(whole)
    assert world.run(later).error is None
    world.put(whole[1:])
    assert world.run(later).error is None
    assert world.ids() == [2, 3, 4]
