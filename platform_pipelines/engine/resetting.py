"""Reset: forget how far feeds have come, so that the next run reads them anew.

A reset is a new epoch without a batch. What destinations hold stays until the
next run has read everything; it then replaces it. It mends a log that was damaged, too:
epochs that cannot be read are put out of the way.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from platform_pipelines.engine.context import stamp
from platform_pipelines.errors import UsageError
from platform_pipelines.store.damaged import damaged, set_aside

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed

_log = logging.getLogger(__name__)
#: feeds that are reset together: each lock is an open file, of which a process may have about 1,000
AT_ONCE = 200


def reset(
    project: Project,
    name: str,
    partition: str | None = None,
    *,
    token: str,
    waiting: Callable[[str], None] | None = None,
) -> list[Feed]:
    """Begin a new epoch: the next run reads everything, and replaces what was loaded.

    Queues behind a run that reads or judges one of the feeds. Nothing is done
    before all of them (200 at a time) are free, so whoever gives up waiting has
    changed nothing of these. Destinations are not touched until the next run.

    Args:
        project: the project.
        name: the pipeline.
        partition: one partition; None resets all feeds.
        token: kept in the log as who asked.
        waiting: told whom it waits for; then it waits without end, unless
            PIPELINES_LOCK_WAIT is set.

    Returns:
        The feeds that were reset.

    Raises:
        UsageError: no such pipeline or partition, or nothing has landed.
        FeedBusy: a run did not end in time.
    """
    spec = project.pipeline(name)
    known = project.store.feeds(name)
    chosen = [spec.feed(partition)] if partition is not None else known
    chosen = [feed for feed in chosen if feed in known]
    if not chosen:
        msg = f"Pipeline `{name}` has no state to reset" + (f" for partition {partition}." if partition else ".")
        raise UsageError(msg)
    for begin in range(0, len(chosen), AT_ONCE):
        _reset_together(project, chosen[begin : begin + AT_ONCE], token, waiting)
    return chosen


def _reset_together(project: Project, feeds: list[Feed], token: str, waiting: Callable[[str], None] | None) -> None:
    logs = [project.store.feed(feed) for feed in feeds]
    with contextlib.ExitStack() as held:
        for log in logs:
            held.enter_context(log.lock(token, waiting))
        for log in logs:
            epochs, unreadable = log.epochs(), damaged(log)
            if unreadable or (epochs and log.sequences(epochs[-1])):
                # first: without it, whoever dies here would leave a log whose next epoch destinations have seen
                log.open_epoch("reset", token, stamp())
            for epoch in unreadable:
                _log.warning("%s could not be read; it is kept as %s.", log.feed.id, set_aside(log, epoch))
