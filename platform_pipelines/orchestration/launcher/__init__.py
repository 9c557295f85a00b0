"""Runs that start in tenths of a second: forked from a process that has everything imported.

One line in ``dagster.yaml`` switches it on; see docs/how-to/start-runs-fast.md and
docs/decisions/0031. It names private parts of Dagster, those that every run
launcher needs: the arguments of ``dagster api execute_run``.
"""

from __future__ import annotations

from platform_pipelines.orchestration.launcher.warm import WarmRunLauncher

__all__ = ["WarmRunLauncher"]
