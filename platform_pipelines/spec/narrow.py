"""Some pipelines of a folder, found without reading the others: what a process needs that runs one of them.

Whether all of a folder fits together is left to ``loader``, and to those who load
all of it: a code location, ``pipelines check``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.spec.capable import Connectors
from platform_pipelines.spec.catalog import Catalog, find_root
from platform_pipelines.spec.loader import load_connectors, pipeline_files, shown
from platform_pipelines.spec.reader import CheckTransform, PipelineReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from platform_pipelines.spec.connector import CapabilitiesOf
    from platform_pipelines.spec.pipeline import PipelineSpec


def load_some(
    defs: Path,
    names: Iterable[str],
    capabilities: CapabilitiesOf | None = None,
    *,
    check_transform: CheckTransform | None = None,
) -> Catalog | None:
    """Saved connectors, the pipelines of these names, and those after which they run.

    Args:
        defs: folder with ``connectors.yaml`` and one file per pipeline.
        names: of pipelines.
        capabilities: see :func:`platform_pipelines.spec.loader.load_catalog`.
        check_transform: see there.

    Returns:
        The catalog; None if one of them is not there exactly once, or has errors. Whoever loads all then learns why.

    Raises:
        SpecErrors: what is wrong with the saved connectors, with lines.
    """
    saved = load_connectors(defs, capabilities)
    finder = _Finder(pipeline_files(defs), Connectors(saved, capabilities), check_transform)
    wanted = [finder.find(name) for name in names]
    before = [finder.find(name) for spec in wanted if spec is not None for name in spec.triggers.after]
    found = {spec.name: spec for spec in (*wanted, *before) if spec is not None}
    if None in wanted or None in before:
        return None
    return Catalog(find_root(Path.cwd()), defs, saved, dict(sorted(found.items())))


class _Finder:
    """Looks into the file of the pipeline's name first, then into those in which the name occurs."""

    def __init__(self, files: list[Path], connectors: Connectors, check_transform: CheckTransform | None) -> None:
        self._files = files
        self._of_name: dict[str, list[Path]] = {}
        for file in files:
            self._of_name.setdefault(file.stem, []).append(file)
        self._connectors = connectors
        self._check_transform = check_transform
        self._read: dict[Path, PipelineSpec | None] = {}

    def find(self, name: str) -> PipelineSpec | None:
        """The pipeline of that name; None if it is not declared without errors in exactly one of the files."""
        found = self._among(self._of_name.get(name, ()), name)
        found = found or self._among((file for file in self._files if _mentions(file, name)), name)
        return found[0] if len(found) == 1 else None

    def _among(self, files: Iterable[Path], name: str) -> list[PipelineSpec]:
        specs = [self._spec(file) for file in files]
        return [spec for spec in specs if spec is not None and spec.name == name]

    def _spec(self, file: Path) -> PipelineSpec | None:
        if file not in self._read:
            reader = PipelineReader(self._connectors, self._check_transform)
            self._read[file] = reader.read_file(file, shown(file))
        return self._read[file]


def _mentions(file: Path, name: str) -> bool:
    try:
        return name.encode() in file.read_bytes()
    except OSError:
        return False
