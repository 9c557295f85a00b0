"""So many requests in a time and no more: the limit as written, and its keeper."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0}
_UNITS |= {"h": 3_600.0, "hour": 3_600.0, "d": 86_400.0, "day": 86_400.0}
_RATE = re.compile(r"\s*(\d+)\s*(?:/|per)\s*(\d+)?\s*([a-z]+?)\s*")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` requests in any ``seconds``."""

    count: int
    seconds: float


def rate(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """A rate as people write it: ``10/s``, ``600/m``, ``100/10s``, ``5000/h``.

    Raises:
        ValueError: not a rate.
    """
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[3] not in _UNITS or int(match[1]) < 1 or match[2] == "0":
        msg = f"{value!r} is not a rate. Write requests per time: 10/s, 600/m, 100/10s, 5000/h"
        raise ValueError(msg)
    return Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


RateLimit = Annotated[Rate, BeforeValidator(rate), WithJsonSchema({"type": "string"})]


class Limiter:
    """Makes callers wait so that no stretch of ``seconds`` sees more than ``count`` of them; for several threads.

    Args:
        limit: the rate; None lets everybody pass.
    """

    def __init__(self, limit: Rate | None) -> None:
        self._limit = limit
        self._passed: deque[float] = deque(maxlen=limit.count if limit else 1)
        self._lock = threading.Lock()

    def wait(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Return when the next request may be sent.

        Args:
            sleep: waits so many seconds.
        """
        if self._limit is None:
            return
        with self._lock:
            now = time.monotonic()
            at = now
            if len(self._passed) == self._limit.count:
                at = max(now, self._passed[0] + self._limit.seconds)
            self._passed.append(at)
        if at > now:
            sleep(at - now)
