"""Profiles the rows to load, where the pipeline asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines import duck
from platform_pipelines.quality.profile import profile

if TYPE_CHECKING:
    from platform_pipelines.engine.context import Context
    from platform_pipelines.quality.profile import ColumnProfile
    from platform_pipelines.rowfiles import RowFiles


def profile_of(context: Context, rows: RowFiles) -> tuple[ColumnProfile, ...]:
    """The profile of each column of batches that got a verdict; empty unless ``quality.profile`` is true."""
    if not context.pipeline.quality.profile or not rows.paths:
        return ()
    with duck.session() as connection:
        return profile(connection, rows)
