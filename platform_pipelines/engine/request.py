"""What a caller asks of a run; what it means for a pipeline is left to ``scope`` and ``running``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines.store.runs import new_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_pipelines.engine.context import Progress
    from platform_pipelines.model import Decision


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run.

    Attributes:
        pipeline: its name.
        partitions: keys; None leaves the choice to the pipeline (see ``scope``).
        window_from: begin of the range of partitions or of the cursor window, inclusive.
        window_to: its end, exclusive.
        full_refresh: read everything anew, in a new epoch.
        only: ``landing``, ``validated`` or a destination's name: that stage alone.
        decision: what happens to a held batch: ``release`` or ``discard``.
        allow_destructive: columns at destinations may be dropped or narrowed.
        progress: called as stages go on.
        token: the run's token; a new one by default.
    """

    pipeline: str
    partitions: tuple[str, ...] | None = None
    window_from: str | None = None
    window_to: str | None = None
    full_refresh: bool = False
    only: str | None = None
    decision: Decision | None = None
    allow_destructive: bool = False
    progress: Callable[[Progress], None] | None = None
    token: str = field(default_factory=new_token)

    @property
    def unchosen(self) -> bool:
        """Whether the partitions are left to the pipeline."""
        return not self.partitions and self.window_from is None and self.decision is None and not self.full_refresh
