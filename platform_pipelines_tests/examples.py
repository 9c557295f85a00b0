"""How many examples the random histories try: few in CI, more where somebody has the time.

``PIPELINES_EXAMPLES=100 pytest platform_pipelines_tests/property`` tries a hundred times as many.
"""

from __future__ import annotations

import os
from collections import Counter


def examples(count: int) -> int:
    """The examples to try where CI tries ``count``."""
    return count * int(os.environ.get("PIPELINES_EXAMPLES", "1"))


#: histories that the tests of this process have played, by what they are
PLAYED: Counter[str] = Counter()


def played(what: str) -> None:
    """Count a random history."""
    PLAYED[what] += 1
