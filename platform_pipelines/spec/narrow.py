"""Some pipelines of a folder, found without reading the others: what a process needs that runs one of them.

Whether all of a folder fits together is left to ``loader``, and to those who load
all of it: a code location, ``pipelines check``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.spec.capable import Connectors, named_in
from platform_pipelines.spec.catalog import Catalog, find_root
from platform_pipelines.spec.loader import pipeline_files, read_connectors
from platform_pipelines.spec.place import place_of, shown
from platform_pipelines.spec.reader import CheckTransform, PipelineReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from platform_pipelines.spec.connector import CapabilitiesOf
    from platform_pipelines.spec.pipeline import PipelineSpec


def load_some(  # noqa: PLR0913 - what in two parts, how in four
    defs: Path,
    names: Iterable[str],
    capabilities: CapabilitiesOf | None = None,
    *,
    check_transform: CheckTransform | None = None,
    look_everywhere: bool = False,
    deep: bool = False,
) -> Catalog | None:
    """Saved connectors, the pipelines of these names, and those after which they run.

    Args:
        defs: see :func:`platform_pipelines.spec.loader.load_catalog`.
        names: of pipelines.
        capabilities: see there.
        check_transform: see there.
        look_everywhere: look for a name in all files, not first in the one that bears it, so that a second pipeline of
            that name is seen.
        deep: see there.

    Returns:
        The catalog; None if one of them is not there exactly once, or something is wrong with one of them or the
        connectors they name. Whoever loads all then learns why.
    """
    place = place_of(defs)
    saved, problems = read_connectors(place.folder)
    connectors = Connectors(saved, capabilities, place)

    def read(file: Path) -> PipelineSpec | None:
        return PipelineReader(connectors, check_transform, deep=deep).read_file(file, shown(file))

    finder = _Finder(pipeline_files(defs), read, look_everywhere=look_everywhere)
    wanted = [finder.find(name) for name in names]
    before = [finder.find(name) for spec in wanted if spec is not None for name in spec.triggers.after]
    found = {spec.name: spec for spec in (*wanted, *before) if spec is not None}
    for name in {name for spec in found.values() for name, _ in named_in(spec)} & saved.keys():
        connectors.check_config(saved[name], problems, name)
    if None in wanted or None in before or problems.errors:
        return None
    return Catalog(find_root(Path.cwd()), defs, saved, dict(sorted(found.items())))


class _Finder:
    """Looks into the file of the pipeline's name first, then into those in which the name occurs."""

    def __init__(
        self, files: list[Path], read: Callable[[Path], PipelineSpec | None], *, look_everywhere: bool
    ) -> None:
        self._files = files
        self._of_name: dict[str, list[Path]] = {}
        for file in files:
            self._of_name.setdefault(file.stem, []).append(file)
        self._read = cache(read)
        self._look_everywhere = look_everywhere

    def find(self, name: str) -> PipelineSpec | None:
        """The pipeline of that name; None if it is not declared without errors in exactly one of the files."""
        found = [] if self._look_everywhere else self._among(self._of_name.get(name, ()), name)
        word = re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(name.encode()) + rb"(?![A-Za-z0-9_])")
        found = found or self._among((file for file in self._files if _mentions(file, word)), name)
        return found[0] if len(found) == 1 else None

    def _among(self, files: Iterable[Path], name: str) -> list[PipelineSpec]:
        specs = [self._read(file) for file in files]
        return [spec for spec in specs if spec is not None and spec.name == name]


def _mentions(file: Path, word: re.Pattern[bytes]) -> bool:
    try:
        return word.search(file.read_bytes()) is not None
    except OSError:
        return False
