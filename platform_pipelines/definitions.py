"""The code location: every pipeline of the project as Dagster definitions.

``PIPELINES_DEFS`` says where the YAML lies, ``PIPELINES_STORE`` where batches
land, ``PIPELINES_EXECUTOR`` and ``PIPELINES_JOBS`` how runs are executed and
which pipelines get a job. What is in the definitions, and the process beside a
code server from which runs are forked, is left to ``orchestration``.
"""

from __future__ import annotations

from platform_pipelines.engine import open_project
from platform_pipelines.orchestration import collector
from platform_pipelines.orchestration.build import project_definitions
from platform_pipelines.orchestration.launcher.offer import offer

offered = offer()
with collector.kept():
    defs = project_definitions(open_project(), offered.metadata)
offered.start()
