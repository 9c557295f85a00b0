"""The project a command works on, and a friendly word where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.engine import Project
    from platform_pipelines.spec import TransformSpec

HOW_TO_BEGIN = (
    "Pipelines are YAML files in a folder, beside a connectors.yaml. Name the folder in PIPELINES_DEFS, such as "
    "`export PIPELINES_DEFS=defs`, then write the first pipeline with `pipelines new NAME`."
)


def defs_folder() -> Path:
    """The folder of connectors.yaml and pipelines; it may not exist."""
    from platform_pipelines.engine.project import PACKAGED_DEFS

    given = os.environ.get("PIPELINES_DEFS")
    return Path(given).expanduser() if given else PACKAGED_DEFS


def load_project(name: str | None = None) -> Project:
    """Open the project of this environment; modules beside ``workspace.yaml`` can be imported from then on.

    Args:
        name: the pipeline that is wanted; what else is declared may then be left out, whatever is wrong with it.

    Raises:
        UsageError: the folder of definitions does not exist.
        SpecError: something declared is wrong.
    """
    from platform_pipelines.engine.project import open_part, open_project

    folder = _existing_folder()
    part = None if name is None else open_part((name,), folder, look_everywhere=True)
    project = part or open_project(folder)
    if str(project.root) not in sys.path:
        sys.path.append(str(project.root))
    return project


def check_project(names: Sequence[str]) -> Project:
    """Open all of the project; the SQL and the transforms of these pipelines, or of all, are checked as well.

    Raises:
        UsageError: as for :func:`load_project`.
        SpecError: as there.
    """
    from platform_pipelines.connectors.registry import capabilities
    from platform_pipelines.spec import load_catalog
    from platform_pipelines.spec.narrow import load_some
    from platform_pipelines.transforms import chain

    def check(transform: TransformSpec) -> None:
        chain.check([transform])

    folder = _existing_folder()
    if not names or load_some(folder, names, capabilities, check_transform=check, deep=True) is None:
        load_catalog(folder, capabilities, check_transform=check, deep=True)
    return load_project()


def _existing_folder() -> Path:
    folder = defs_folder()
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        msg = f"The folder of pipelines {folder} {state}. {HOW_TO_BEGIN}"
        raise UsageError(msg)
    return folder
