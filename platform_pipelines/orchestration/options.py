"""What a person may ask of one run, in the launchpad or by run configuration."""

from __future__ import annotations

from enum import Enum

import dagster as dg
from pydantic import Field


class Decision(Enum):
    """What happens to a batch that the gate held."""

    judge = "judge"
    release = "release"
    discard = "discard"


class LandingOptions(dg.Config):
    """Options of landing."""

    full_refresh: bool = Field(
        default=False, description="Read everything anew, in a new epoch that replaces what was loaded."
    )
    allow_destructive: bool = Field(
        default=False, description="More rows that are gone at the source may be deleted than deletes.max_share allows."
    )


class ValidationOptions(dg.Config):
    """Options of validation."""

    held_batch: Decision = Field(
        default=Decision.judge,
        description="judge: by today's rules. release: let it through. discard: drop it to the dead letters.",
    )


class LoadingOptions(dg.Config):
    """Options of a load."""

    allow_destructive: bool = Field(default=False, description="Columns may be dropped or narrowed.")
