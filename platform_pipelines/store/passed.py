"""The rows that a verdict lets pass, as files: its own, or those of the batch but for what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.rowfiles import LeftOut, RowFiles
from platform_pipelines.rowsql import is_plain

if TYPE_CHECKING:
    from platform_pipelines.store.feedlog import FeedLog
    from platform_pipelines.store.verdict import Verdict


def passed(log: FeedLog, verdict: Verdict) -> RowFiles:
    """The rows to load.

    Raises:
        StoreCorrupt: a file is missing or has another size than was committed.
    """
    left_out = tuple(LeftOut(path) for path in log.paths(verdict.epoch, verdict.left_out))
    names = verdict.schema.names if verdict.schema is not None else ()
    return RowFiles(tuple(log.paths(verdict.epoch, verdict.files)), left_out, is_plain(names))
