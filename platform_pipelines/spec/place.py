"""Where the connections of a folder of pipelines stand: beside them, or in the nearest folder above.

So a code location for one domain (`PIPELINES_DEFS=defs/sales`) shares the
connections of all. One file counts and files are never merged: a name means one
connection. What the file says is left to ``loader``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platform_pipelines.spec.catalog import WORKSPACE

CONNECTORS = ("connectors.yaml", "connectors.yml")


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections were looked for.

    Attributes:
        looked: the folders, nearest first; at least one.
        found: the first of them that holds connections; None if none does.
    """

    looked: tuple[Path, ...]
    found: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder whose connections count."""
        return self.found or self.looked[0]

    @property
    def file(self) -> str:
        """The file that holds the connections, or should, for people."""
        return shown(next(iter(files_in(self.folder)), self.folder / CONNECTORS[0]))

    @property
    def missing(self) -> str:
        """That there are no connections to choose from, and why, for people."""
        if self.found is not None:
            return f"{self.file} has none"
        *above, last = ["the current folder" if shown(each) == "." else shown(each) for each in self.looked]
        return f"there is no {CONNECTORS[0]} in {', '.join(above)}{' or ' if above else ''}{last}"


def place_of(defs: Path) -> Place:
    """Where the connections of the pipelines below ``defs`` stand.

    It is looked for upwards as far as the folder that holds ``workspace.yaml``, else the current folder, in which
    ``defs`` lies; beside the pipelines only where ``defs`` lies in neither.
    """
    above = _upwards(Path(os.path.abspath(defs)))[1:]  # noqa: PTH100 - symbolic links stay as written
    looked = (defs, *above)
    return Place(looked, next((folder for folder in looked if files_in(folder)), None))


def files_in(folder: Path) -> list[Path]:
    """The files of connections that lie in ``folder``; more than one is a mistake."""
    return [folder / name for name in CONNECTORS if (folder / name).is_file()]


def shown(path: Path) -> str:
    """``path`` as people know it: relative to the current folder if it lies below."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - symbolic links stay as written
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(path)


def _upwards(folder: Path) -> list[Path]:
    chain = [folder, *folder.parents]
    tops = [each for each in chain if (each / WORKSPACE).is_file()] or [each for each in chain if each == Path.cwd()]
    return chain[: chain.index(tops[0]) + 1] if tops else [folder]
