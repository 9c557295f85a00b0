"""The project: saved connectors, pipelines, and the landing log they share."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.errors import UsageError
from platform_pipelines.spec import load_catalog
from platform_pipelines.spec.narrow import load_some
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from platform_pipelines.connectors.base import Connector
    from platform_pipelines.spec import Catalog, PipelineSpec, TransformSpec

#: the folder of connectors.yaml and pipelines that is used where PIPELINES_DEFS says nothing
PACKAGED_DEFS = Path(__file__).resolve().parent.parent / "defs"


@dataclass(frozen=True)
class Project:
    """Everything a run needs to know that is not the run itself.

    Attributes:
        catalog: connectors and pipelines as declared.
        store: the landing log.
        root: the folder under which relative paths lie.
        connectors: connectors given as objects, by name; they win over declared ones.
    """

    catalog: Catalog
    store: Store
    root: Path
    connectors: Mapping[str, Connector] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """Where connectors remember what outlives a run, such as a token that its server replaced."""
        return self.store.path / "_state"

    def pipeline(self, name: str) -> PipelineSpec:
        """The pipeline of that name.

        Raises:
            UsageError: there is none; the message names the nearest.
        """
        found = self.catalog.pipelines.get(name)
        if found is not None:
            return found
        names = sorted(self.catalog.pipelines)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        allowed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "") if names else "none are declared"  # noqa: PLR2004
        msg = f"Unknown pipeline `{name}` in {self.catalog.defs}.{hint} Pipelines: {allowed}."
        raise UsageError(msg)


def _check_transform(transform: TransformSpec) -> None:
    """Refuse a transform that can never work; SQL is left to ``pipelines check``, for its parser is slow to load."""
    if transform.kind not in {"filter", "sql"}:
        from platform_pipelines.transforms import chain

        chain.check([transform])


def defs_folder() -> Path:
    """The folder of connectors.yaml and pipelines that the environment names; else the packaged one."""
    given = os.environ.get("PIPELINES_DEFS")
    return Path(given) if given else PACKAGED_DEFS


def open_project(defs: Path | None = None, store: str | Path | None = None) -> Project:
    """Load the catalog and find the landing log.

    Args:
        defs: folder of connectors.yaml and pipelines; default ``PIPELINES_DEFS``,
            else the folder packaged with this installation.
        store: where batches land; default ``PIPELINES_STORE``, else ``.pipelines/store``.

    Raises:
        SpecError: something declared is wrong; the message names file and line.
    """
    return _project(load_catalog(defs or defs_folder(), capabilities, check_transform=_check_transform), store)


def open_part(names: Iterable[str], defs: Path | None = None, *, look_everywhere: bool = False) -> Project | None:
    """The project of the environment as far as these pipelines and those before them go.

    Args:
        names: of pipelines.
        defs: see :func:`open_project`.
        look_everywhere: see :func:`platform_pipelines.spec.narrow.load_some`.

    Returns:
        None if something is wrong with one of them, or it is not found at once; see there too.
    """
    catalog = load_some(
        defs or defs_folder(), names, capabilities, check_transform=_check_transform, look_everywhere=look_everywhere
    )
    return None if catalog is None else _project(catalog)


def _project(catalog: Catalog, store: str | Path | None = None) -> Project:
    location = store or os.environ.get("PIPELINES_STORE") or Store.DEFAULT_PATH
    return Project(catalog=catalog, store=Store(location, catalog.root), root=catalog.root)
