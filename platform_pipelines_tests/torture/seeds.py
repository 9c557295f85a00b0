"""The seed of a random attack, printed so that it can be repeated."""

from __future__ import annotations

import os
import random


def seeded(name: str) -> tuple[int, random.Random]:
    """A seed from PIPELINES_TEST_SEED, or a new one, and the chances that it gives."""
    seed = int(os.environ.get("PIPELINES_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"{name}: seed {seed}; repeat with PIPELINES_TEST_SEED={seed}")  # noqa: T201 - shown when the test fails
    return seed, random.Random(seed)  # noqa: S311 - an attack's choice of moments
