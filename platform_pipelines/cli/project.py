"""The project a command works on, and a friendly word where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from platform_pipelines.engine import Project

HOW_TO_BEGIN = (
    "Pipelines are YAML files in a folder, beside a connectors.yaml. Name the folder in PIPELINES_DEFS, such as "
    "`export PIPELINES_DEFS=defs`, then write the first pipeline with `pipelines new NAME`."
)


def defs_folder() -> Path:
    """The folder of connectors.yaml and pipelines; it may not exist."""
    from platform_pipelines.engine.project import PACKAGED_DEFS

    given = os.environ.get("PIPELINES_DEFS")
    return Path(given).expanduser() if given else PACKAGED_DEFS


def load_project(*, deep: bool = False) -> Project:
    """Open the project of this environment; modules beside ``workspace.yaml`` can be imported from then on.

    Args:
        deep: parse SQL and check the bodies of transforms too; slower.

    Raises:
        UsageError: the folder of definitions does not exist.
        SpecError: something declared is wrong.
    """
    from platform_pipelines.engine import open_project

    folder = defs_folder()
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        msg = f"The folder of pipelines {folder} {state}. {HOW_TO_BEGIN}"
        raise UsageError(msg)
    if deep:
        _check_deep(folder)
    project = open_project(folder)
    if str(project.root) not in sys.path:
        sys.path.append(str(project.root))
    return project


def _check_deep(folder: Path) -> None:
    from platform_pipelines.connectors.registry import capabilities
    from platform_pipelines.spec import load_catalog
    from platform_pipelines.transforms import chain

    load_catalog(folder, capabilities, check_transform=lambda transform: chain.check([transform]), deep=True)
