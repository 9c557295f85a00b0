from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from platform_pipelines import duck
from platform_pipelines.engine.running import recorded
from platform_pipelines.engine.summary import Outcome
from platform_pipelines.store import FeedLog
from platform_pipelines_tests.unit.engine.world import FEED, at

if TYPE_CHECKING:
    from platform_pipelines.store import Manifest
    from platform_pipelines_tests.unit.engine.world import World


@pytest.mark.parametrize("attempt", range(5))
def test_ctrl_c_that_duckdb_met_ends_the_run_as_ctrl_c_does(world: World, attempt: int) -> None:
    """Also where another of DuckDB's threads has the query, which is so in some of the attempts."""
    del attempt
    context = world.context()
    duck.connect().close()  # so that the signal finds the query, not the loading of DuckDB
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt), recorded(context, Outcome(FEED)), duck.session() as connection:
            connection.execute("select count(*) from range(1000000000000) where hash(range) = 1")  # holds no row
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_behind_the_commit_of_a_batch_leaves_its_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest names them: without them no run could go on."""
    project, commit = world.project(), FeedLog.commit
    world.put([{"id": 1, "at": at(1)}])

    def interrupted(log: FeedLog, manifest: Manifest) -> None:
        commit(log, manifest)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FeedLog, "commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.run(project)
    assert world.run(project).error is None
    assert world.ids() == [1]
