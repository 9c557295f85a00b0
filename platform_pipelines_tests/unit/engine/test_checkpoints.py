"""Reads that commit checkpoints, break off and go on: each row once, whatever comes between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import replay_dead_letters, reset, state
from platform_pipelines.errors import ConnectError
from platform_pipelines.model import Page
from platform_pipelines_tests.unit.engine.world import World, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Stream, Window

MERGE = [{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}]
AGE = {"rules": [{"id": "age", "type": "range", "field": "age", "min": 0, "severity": "error"}]}


class PagedConnector(MemoryConnector):
    """A page for each row, in the order in which they were put; breaks off behind ``pages``."""

    pages: int | None = None

    def read(self, stream: Stream, window: Window, resume: Any) -> Iterator[Page]:
        rows = next(super().read(stream, window, None)).batches[0]
        begin = resume or 0
        if begin >= rows.num_rows:
            yield Page((rows.slice(0, 0),))
        for place in range(begin, rows.num_rows):
            if self.pages is not None and place - begin >= self.pages:
                msg = "The line is dead."
                raise ConnectError(msg)
            yield Page((rows.slice(place, 1),), resume=place + 1)


def paged(world: World, pages: int | None = None, *, cursor: dict[str, Any] | None = None, **changes: Any) -> Project:
    source = {
        "connector": "mem",
        "stream": "rows",
        "mode": "incremental",
        "cursor": {"field": "at"} | (cursor or {}),
        "checkpoint_pages": 1,
    }
    project = world.project(source=source, **changes)
    return replace(project, connectors={"mem": PagedConnector(space=world.space, pages=pages)})


def row(number: int, second: float | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "at": None if second is None else at(second), **more}


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_the_watermark_counts_rows_before_the_interruption(world: World, pages: int) -> None:
    """The first part holds the highest cursor: rows of it below the watermark must not come again."""
    world.put([row(1, 100), row(2, 60), row(3, 10), row(4, 50)])
    assert world.run(paged(world, pages)).status == "failed"
    report = world.run(paged(world))
    assert report.watermark_to is not None
    assert report.watermark_to.text == "2024-01-01T00:01:40Z"
    assert world.run(paged(world)).status == "nothing_new"
    assert world.ids() == [1, 2, 3, 4]


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_rows_without_cursor_are_remembered_over_an_interruption(world: World, pages: int) -> None:
    cursor = {"on_missing": "include"}
    rows = [row(1, None), row(2, None), row(3, None), row(4, 50)]
    world.put(rows)
    world.run(paged(world, pages, cursor=cursor))
    world.run(paged(world, cursor=cursor))
    world.put([*rows, row(5, 60)])
    world.run(paged(world, pages, cursor=cursor))
    world.run(paged(world, cursor=cursor))
    assert world.run(paged(world, cursor=cursor)).status == "nothing_new"
    assert world.ids() == [1, 2, 3, 4, 5]


def test_a_window_that_breaks_off_leaves_nothing_to_go_on_from(world: World) -> None:
    """An ordinary read that went on from a window's page would skip rows of its own."""
    rows = [row(n, n) for n in range(1, 6)]
    world.put(rows)
    world.run(paged(world, destinations=MERGE))
    world.put([*rows, *(row(n, n) for n in range(6, 11))])
    window = {"window_from": "2024-01-01T00:00:00Z", "window_to": "2024-01-01T00:00:06Z"}
    assert world.run(paged(world, 3, destinations=MERGE), **window).status == "failed"
    world.run(paged(world, destinations=MERGE))
    assert world.ids() == list(range(1, 11))


def test_a_window_or_a_replay_between_two_parts_changes_nothing(world: World) -> None:
    project = paged(world, destinations=MERGE, quality=AGE)
    world.put([row(1, 1, age=1), row(2, 2, age=-1)])
    world.run(project)
    world.put([row(3, 50, age=1), row(4, 40, age=1), row(5, 30, age=1), row(6, 20, age=1)])
    world.run(paged(world, 2, destinations=MERGE, quality=AGE))
    world.run(project, window_from="2024-01-01T00:00:00Z", window_to="2024-01-01T00:00:21Z")
    replay_dead_letters(paged(world, destinations=MERGE), "p")
    report = world.run(project)
    assert (report.read, world.ids()) == (2, [1, 2, 3, 4, 5, 6])
    assert state(project, "p").to_json()["watermark"] == "2024-01-01T00:00:50Z"


@pytest.mark.parametrize("begin", ["reset", "interrupted"])
def test_a_window_does_not_pass_for_a_feed_that_is_read_anew(world: World, begin: str) -> None:
    project = paged(world, destinations=MERGE)
    world.put([row(n, n) for n in range(1, 6)])
    world.run(project)
    if begin == "reset":
        reset(project, "p", token="pt-reset")  # noqa: S106 - a run's token
    else:
        world.run(paged(world, 2, destinations=MERGE), full_refresh=True)
    report = world.run(project, window_from="2024-01-01T00:00:00Z", window_to="2024-01-01T00:00:02Z")
    assert (report.status, report.exit_code) == ("failed", 2)
    assert "Run `pipelines run p` first" in str(report.error)
    assert world.ids() == [1, 2, 3, 4, 5]
    assert world.run(project).status == "success"
    assert world.ids() == [1, 2, 3, 4, 5]
