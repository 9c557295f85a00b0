"""Profiles the rows to load, where the pipeline asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.quality.profile import profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from platform_pipelines.engine.context import Context
    from platform_pipelines.quality.profile import ColumnProfile


def profile_of(context: Context, files: Sequence[Path]) -> tuple[ColumnProfile, ...]:
    """The profile of each column of batches that got a verdict; empty unless ``quality.profile`` is true."""
    if not context.pipeline.quality.profile or not files:
        return ()
    with duck.session() as connection:
        return profile(connection, files)
