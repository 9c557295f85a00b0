from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.engine import new_token, reset, resetting, rewind, state
from platform_pipelines.errors import FeedBusy, StoreCorrupt
from platform_pipelines.model import Feed
from platform_pipelines_tests.unit.engine.world import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.engine.project import Project
    from platform_pipelines_tests.unit.engine.world import World

REGIONS = {"by": "value", "field": "region", "values": ["eu", "us"]}


def two_feeds(world: World) -> Project:
    project = world.project(
        partitions=REGIONS,
        destinations=[{"name": "out", "connector": "mem", "table": "out", "mode": "merge", "key": ["id"]}],
    )
    for n in (2, 4):
        world.put([{"id": i, "at": at(i), "region": "eu" if i % 2 else "us"} for i in range(n)])
        world.run(project)
    return project


def epochs(project: Project) -> dict[str, list[int]]:
    return {feed.key: project.store.feed(feed).epochs() for feed in project.store.feeds("p")}


def test_one_that_was_killed_as_it_began_the_epoch_is_repeated(world: World) -> None:
    """The epoch says that it was reset: so it takes the source's schema as it is."""
    project = two_feeds(world)
    log = project.store.feed(Feed("p", "eu"))
    log.epoch_folder(log.epochs()[-1] + 1).mkdir()
    reset(project, "p", token=new_token())
    assert log.epoch_info(log.epochs()[-1])["reason"] == "reset"


@pytest.mark.parametrize(
    "act",
    [
        lambda project, waiting: reset(project, "p", token=new_token(), waiting=waiting),
        lambda project, waiting: rewind(project, "p", "1/1", "us", token=new_token(), waiting=waiting),
    ],
)
def test_it_queues_behind_a_run_and_then_acts(world: World, act: Callable[..., Any]) -> None:
    project = two_feeds(world)
    told: list[str] = []
    free = threading.Event()

    def waiting(who: str) -> None:
        told.append(who)
        assert project.store.feed(Feed("p", "us")).last(1).kind == "extract"
        assert epochs(project) == {"eu": [1], "us": [1]}
        free.set()

    def a_run() -> None:
        with project.store.feed(Feed("p", "us")).lock("pt-running"):
            held.set()
            free.wait(30)

    held = threading.Event()
    other = threading.Thread(target=a_run)
    other.start()
    held.wait(30)
    assert act(project, waiting)
    other.join()
    assert len(told) == 1
    assert "Feed p/us is being worked on by run pt-running (process " in told[0]


def test_who_gives_up_waiting_has_reset_nothing(world: World) -> None:
    """The feed that is free is not reset before the busy one is."""
    project = two_feeds(world)

    def gives_up(_who: str) -> None:
        raise KeyboardInterrupt

    with project.store.feed(Feed("p", "us")).lock("pt-running"), pytest.raises(KeyboardInterrupt):
        reset(project, "p", token=new_token(), waiting=gives_up)
    assert epochs(project) == {"eu": [1], "us": [1]}
    with project.store.feed(Feed("p", "eu")).lock("pt-next"):  # and holds no lock any more
        pass


def test_a_limit_of_waiting_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LOCK_WAIT", "0.05")
    project = two_feeds(world)
    with project.store.feed(Feed("p", "us")).lock("pt-running"), pytest.raises(FeedBusy, match=r"waited 0\.05 s"):
        reset(project, "p", token=new_token(), waiting=lambda _: None)
    assert epochs(project) == {"eu": [1], "us": [1]}


def test_more_feeds_than_locks_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    project = two_feeds(world)
    monkeypatch.setattr("platform_pipelines.engine.resetting.AT_ONCE", 1)
    assert [feed.key for feed in reset(project, "p", token=new_token())] == ["eu", "us"]
    assert epochs(project) == {"eu": [1, 2], "us": [1, 2]}


def _die(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["000001.json", "000002.json", "000002.verdict.json"])
@pytest.mark.parametrize("killed", [False, True])
def test_a_log_that_was_damaged_is_started_over(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, *, killed: bool
) -> None:
    """Its error says that a reset helps; ``killed`` dies between beginning the next epoch and putting this one aside."""
    project = two_feeds(world)
    log = project.store.feed(Feed("p", "us"))
    (log.epoch_folder(1) / name).write_text("{", encoding="utf-8")
    with pytest.raises(StoreCorrupt, match="with `pipelines state p --reset --partition us`"):
        state(project, "p").to_json()
    if killed:
        with monkeypatch.context() as patch:
            patch.setattr(resetting, "set_aside", _die)
            with pytest.raises(KeyboardInterrupt):
                reset(project, "p", "us", token=new_token())
        assert log.epochs() == [1, 2], "a destination that has loaded epoch 1 meets no other one of that number"
    reset(project, "p", "us", token=new_token())
    begun = log.epochs()
    assert begun == ([2, 3] if killed else [2])
    assert (log.folder / "e000001.damaged" / name).read_text() == "{"
    world.put([{"id": i, "at": at(i), "region": "eu" if i % 2 else "us"} for i in range(6)])
    assert world.run(project).status == "success"
    assert {row["id"] for row in world.rows("out")} == set(range(6))
    assert epochs(project) == {"eu": [1], "us": begun}
