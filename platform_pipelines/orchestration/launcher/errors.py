"""Why a run is not started by a warm process; it is then started the way Dagster does."""

from __future__ import annotations


class NotWarm(Exception):
    """There is no warm process, or it refuses. Nobody is to act on it, so it is not in the tree of ``errors``."""
