"""Retries as Dagster's policy; which errors are worth a retry is decided in ``failures``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from platform_pipelines.spec import Retries

_BACKOFFS = {"exponential": dg.Backoff.EXPONENTIAL, "linear": dg.Backoff.LINEAR, "constant": None}


def retry_policy(retries: Retries) -> dg.RetryPolicy | None:
    """The policy of a step; None for a pipeline that is never tried again."""
    if retries.max == 0:
        return None
    return dg.RetryPolicy(max_retries=retries.max, delay=retries.delay, backoff=_BACKOFFS[retries.backoff])
