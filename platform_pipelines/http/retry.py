"""When a request is sent again, and how long that waits.

The server's ``Retry-After`` is kept to where it says anything; else the wait
doubles each time, with jitter. What counts as passing is left to ``client``.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import random
import time
from typing import TYPE_CHECKING, Any

import tenacity
from pydantic import BaseModel, ConfigDict, Field

from platform_pipelines.errors import ConnectError
from platform_pipelines.spec.base import Count, Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)
_HALF = 0.5


class PassingFault(Exception):
    """Something that may be gone when the request is sent again.

    Args:
        message: what happened, secrets masked.
        after: seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Retries(BaseModel):
    """How often and how long one request is tried again.

    Attributes:
        max: times that a request is sent again at most.
        total: time after which a request is given up, waits included.
        delay: the first wait; each later one is twice as long, with jitter.
        max_delay: the longest wait that we choose ourselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    max: Count = 10
    total: Seconds = Field(default=900.0)
    delay: Seconds = Field(default=1.0)
    max_delay: Seconds = Field(default=60.0)

    def run(self, attempt: Callable[[], Any], sleep: Callable[[float], None] = time.sleep) -> Any:  # noqa: ANN401 - what the attempt returns
        """Call ``attempt`` until it raises no :class:`PassingFault`.

        Args:
            attempt: the work.
            sleep: waits so many seconds.

        Raises:
            ConnectError: it did so too often or for too long.
        """
        started = time.monotonic()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingFault),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(self.max + 1) | tenacity.stop_before_delay(self.total),
            before_sleep=_tell,
            sleep=sleep,
        )
        try:
            return retrying(attempt)
        except tenacity.RetryError as error:
            raise self._given_up(error.last_attempt, time.monotonic() - started) from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        after = getattr(fault, "after", None)
        if after is not None and after > 0:
            return float(after)
        longest = min(self.max_delay, self.delay * 2.0 ** (state.attempt_number - 1))
        return random.uniform(_HALF * longest, longest)  # noqa: S311 - jitter is no secret

    def _given_up(self, last: tenacity.Future, seconds: float) -> ConnectError:
        fault = last.exception()
        after = getattr(fault, "after", None)
        asked = f" The server asks to wait {after:.0f} s." if after is not None and after > 0 else ""
        return ConnectError(
            f"{fault}.{asked} Given up after {last.attempt_number} {'try' if last.attempt_number == 1 else 'tries'} in "
            f"{seconds:.0f} s (`retries: {{max: {self.max}, total: {self.total:g}s}}`). Run again later, or allow more."
        )


def _tell(state: tenacity.RetryCallState) -> None:
    fault = state.outcome.exception() if state.outcome else None
    _log.warning("%s; trying again in %.1f s (try %d)", fault, state.upcoming_sleep, state.attempt_number + 1)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; None where it does not say, or says nothing usable.

    ``Retry-After`` in seconds or as a date (RFC 9110, 10.2.3), else
    ``X-RateLimit-Reset`` in seconds since 1970 once ``X-RateLimit-Remaining`` is 0.
    Dates are compared with the server's own clock. Zero and less mean nothing.
    """
    text = headers.get("retry-after", "").strip()
    now = _instant(headers.get("date", "")) or time.time()
    seconds: float | None = _number(text)
    if seconds is None and (until := _instant(text)) is not None:
        seconds = until - now
    if seconds is None and headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = _number(headers.get("x-ratelimit-reset", ""))
        seconds = None if reset is None else reset - now
    return seconds if seconds is not None and seconds > 0 else None


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) != float("inf") and found == found else None  # noqa: PLR0124 - NaN is not itself


def _instant(text: str) -> float | None:
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
