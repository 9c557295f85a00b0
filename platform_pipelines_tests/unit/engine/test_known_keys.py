"""Which keys a pipeline knows, kept when batches go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines import duck
from platform_pipelines.engine.knownkeys import KNOWN, collect, compact
from platform_pipelines.store import keysnapshot
from platform_pipelines_tests.unit.engine.deleting import detecting, rows
from platform_pipelines_tests.unit.engine.world import FEED, World

if TYPE_CHECKING:
    import pytest


def test_known_keys_survive_retention(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_RETENTION", "0h")
    project = detecting(world)
    for step in range(4):
        world.put(rows(1, 2, 3, second=10 * step))
        world.run(project)
    log = project.store.feed(FEED)
    assert keysnapshot.latest(log, 1).sequence == 4
    world.put(rows(1, 3, second=50))
    assert world.run(project).error is None
    assert world.ids() == [1, 3]
    world.put(rows(3, second=60))
    world.run(project)
    assert world.ids() == [3]
    assert len(list(log.epoch_folder(1).glob("*.keys"))) == 1


def test_a_snapshot_says_what_the_batches_said(world: World) -> None:
    project = detecting(world)
    for ids in ((1, 2, 3), (1, 3), (1, 2, 3), (2, 3, 4)):
        world.put(rows(*ids, second=10 * sum(ids)))
        world.run(project)
    log = project.store.feed(FEED)
    before = _known(log)
    assert before == [2, 3, 4]
    (log.epoch_folder(1) / "000001-0123456789ab.keys").mkdir()  # of a process that was killed
    assert compact(log, 1, ("id",)) == log.sequences(1)[-1]
    assert _known(log) == before
    assert len(list(log.epoch_folder(1).glob("*.keys"))) == 1


def _known(log: Any) -> list[int]:
    with duck.connect() as connection:
        assert collect(connection, log, 1, ("id",)) is not None
        return [row[0] for row in connection.execute(f"select id from {KNOWN} order by id").fetchall()]
