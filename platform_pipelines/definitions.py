"""The code location: every pipeline of the project as Dagster definitions.

``PIPELINES_DEFS`` says where the YAML lies, ``PIPELINES_STORE`` where batches
land, ``PIPELINES_EXECUTOR`` and ``PIPELINES_JOBS`` how runs are executed and
which pipelines get a job. The YAML is read when something of it is asked for. What
is in the definitions, and the process beside a code server from which runs are
forked, is left to ``orchestration``.
"""

from __future__ import annotations

from platform_pipelines.orchestration.launcher.offer import offer
from platform_pipelines.orchestration.location import Location

offered = offer()
defs = Location(offered.metadata)
offered.start()
