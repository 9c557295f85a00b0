"""How long a step waits before it is tried again; which errors are worth it is decided in ``failures``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from platform_pipelines.spec import Retries

_BACKOFFS = {"exponential": dg.Backoff.EXPONENTIAL, "linear": dg.Backoff.LINEAR, "constant": None}


def delay_before(retries: Retries, attempt: int) -> float:
    """Seconds before the retry ``attempt``, counted from 1."""
    policy = dg.RetryPolicy(max_retries=retries.max, delay=retries.delay, backoff=_BACKOFFS[retries.backoff])
    return float(policy.calculate_delay(attempt))
