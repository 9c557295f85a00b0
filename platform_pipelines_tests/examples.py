"""How many examples the random histories try: few in CI, more where somebody has the time.

``PIPELINES_EXAMPLES=100 pytest platform_pipelines_tests/property`` tries a hundred times as many.
"""

from __future__ import annotations

import os


def examples(count: int) -> int:
    """The examples to try where CI tries ``count``."""
    return count * int(os.environ.get("PIPELINES_EXAMPLES", "1"))
