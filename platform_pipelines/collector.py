"""Python's garbage collector, out of the way while very many values are made that are no garbage.

It looks through all of them again and again while they are made: a quarter of the
time of loading 1,000 pipelines (docs/decisions/0030), half of that of looking at
100,000 partitions (docs/decisions/0032).
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """Nothing is looked through within.

    Nothing happens where the collector was switched off by someone else.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """As :func:`resting`, for what lives as long as the process: it is not looked through later either."""
    if not gc.isenabled():
        yield
        return
    with resting():
        yield
        gc.freeze()
