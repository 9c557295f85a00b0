"""The landing log as a whole: where each feed, schema and run record lies."""

from __future__ import annotations

import os
from pathlib import Path

from platform_pipelines import durable
from platform_pipelines.errors import SpecError, UsageError
from platform_pipelines.model import Feed
from platform_pipelines.store.approvals import ApprovalLog
from platform_pipelines.store.feedindex import FeedIndex
from platform_pipelines.store.feedlog import FeedLog
from platform_pipelines.store.history import HistoryLog
from platform_pipelines.store.runs import RunLog
from platform_pipelines.store.schemas import SchemaLog


class Store:
    """The landing log in a local folder.

    Args:
        location: a path; relative ones lie under ``root``.
        root: the project's root.

    Raises:
        SpecError: the location is of a kind that is not available.
    """

    #: where batches land unless PIPELINES_STORE says otherwise
    DEFAULT_PATH = ".pipelines/store"

    def __init__(self, location: str | Path, root: Path) -> None:
        text = str(location)
        if "://" in text:
            msg = (
                f"PIPELINES_STORE={text!r}: only a local path is available yet. "
                "Give a folder on a disk that outlives the process, such as /var/lib/pipelines/store."
            )
            raise SpecError(msg)
        self.path = (root / Path(text).expanduser()).resolve()
        self.runs = RunLog(self.path / "_runs")

    def feed(self, feed: Feed) -> FeedLog:
        """The log of one feed."""
        return FeedLog(self._pipeline(feed.pipeline) / "feeds" / feed.folder, feed)

    def schemas(self, pipeline: str) -> SchemaLog:
        """The schema versions of one pipeline."""
        return SchemaLog(self._pipeline(pipeline) / "schemas")

    def approvals(self, pipeline: str) -> ApprovalLog:
        """The batches of one pipeline that wait for a person."""
        return ApprovalLog(self._pipeline(pipeline) / "approvals")

    def history(self, pipeline: str) -> HistoryLog:
        """What the batches of one pipeline were like."""
        return HistoryLog(self._pipeline(pipeline) / "history")

    def feeds(self, pipeline: str) -> list[Feed]:
        """All feeds of a pipeline that have a log, sorted by key."""
        folder = self._pipeline(pipeline) / "feeds"
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        return [Feed.of_folder(pipeline, name) for name in names]

    def index(self, pipeline: str, shape: int) -> FeedIndex:
        """What was found out about the feeds of one pipeline; see :class:`FeedIndex`."""
        return FeedIndex(self._pipeline(pipeline), shape)

    def check_writable(self) -> None:
        """Make sure batches can land here.

        Raises:
            UsageError: the folder cannot be created or written.
        """
        try:
            durable.make_folder(self.path)
            writable = os.access(self.path, os.W_OK | os.X_OK)
        except OSError as error:
            msg = (
                f"The landing log {self.path} cannot be created: {error.strerror}. "
                "Set PIPELINES_STORE to a folder that can be written."
            )
            raise UsageError(msg) from error
        if not writable:
            msg = f"The landing log {self.path} is read-only. Set PIPELINES_STORE to a folder that can be written."
            raise UsageError(msg)

    def _pipeline(self, name: str) -> Path:
        return self.path / name
