"""Python's garbage collector, out of the way while a code location is being loaded.

Definitions are kept for as long as the process lives. Looking through all of them
for garbage, again and again while they are made, was a quarter of the time of
loading 1,000 pipelines (docs/decisions/0030).
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is made within is not looked through by the collector, now or later.

    Nothing happens where the collector was switched off by someone else.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
