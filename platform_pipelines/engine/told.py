"""What the logs of a pipeline's feeds told when a run began, each asked once.

A run asks twice: which partitions were never read whole, and which have batches that a
destination lacks. With very many partitions each question would take seconds.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from platform_pipelines.errors import StoreCorrupt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_pipelines.engine.digest import Digest
    from platform_pipelines.engine.project import Project
    from platform_pipelines.model import Feed


class Told:
    """The digests of a pipeline, made by the first question and kept.

    Args:
        project: the project.
        name: the pipeline.
    """

    def __init__(self, project: Project, name: str) -> None:
        self._project = project
        self._name = name

    @cached_property
    def digests(self) -> Mapping[Feed, Digest | None]:
        """The digest of each feed that has a log, oldest key first; None where the log is damaged."""
        feeds = self._project.store.feeds(self._name)
        try:
            return dict(zip(feeds, self._asked(feeds), strict=True))
        except StoreCorrupt:
            return {feed: self._alone(feed) for feed in feeds}

    def _alone(self, feed: Feed) -> Digest | None:
        try:
            return self._asked([feed])[0]
        except StoreCorrupt:
            return None

    def _asked(self, feeds: Sequence[Feed]) -> Sequence[Digest]:
        from platform_pipelines.engine.digest import digests  # most runs have nothing to ask

        return digests(self._project, self._name, feeds)
