"""All that is declared in one folder: saved connectors and pipelines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.nearest import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from platform_pipelines.spec.connector import ConnectorSpec
    from platform_pipelines.spec.pipeline import PipelineSpec

WORKSPACE = "workspace.yaml"


@dataclass(frozen=True)
class Catalog:
    """Connectors and pipelines of one project.

    Attributes:
        root: the folder under which relative paths lie.
        defs: the folder they were read from.
        connectors: the saved ones by name, in the order of ``connectors.yaml``.
        pipelines: by name, sorted.
    """

    root: Path
    defs: Path
    connectors: Mapping[str, ConnectorSpec] = field(default_factory=dict)
    pipelines: Mapping[str, PipelineSpec] = field(default_factory=dict)

    def connector(self, pipeline: PipelineSpec, name: str) -> ConnectorSpec:
        """The connector that ``pipeline`` calls ``name``: an inline one, else a saved one.

        Raises:
            SpecError: there is none.
        """
        found = pipeline.inline_connectors.get(name) or self.connectors.get(name)
        if found is None:
            msg = f"Pipeline `{pipeline.name}` names the unknown connector `{name}`. {allowed(name, self.connectors)}"
            raise SpecError(msg, file=pipeline.file, line=pipeline.line)
        return found

    def upstream(self, name: str) -> tuple[str, ...]:
        """The pipelines after which ``name`` runs, as declared."""
        return self.pipelines[name].triggers.after

    def downstream(self, name: str) -> tuple[str, ...]:
        """The pipelines that run after ``name``, sorted."""
        return tuple(other for other, spec in self.pipelines.items() if name in spec.triggers.after)

    def domains(self) -> dict[str, tuple[str, ...]]:
        """Names of pipelines by domain, both sorted."""
        found: dict[str, list[str]] = {}
        for name, spec in self.pipelines.items():
            found.setdefault(spec.domain, []).append(name)
        return {domain: tuple(found[domain]) for domain in sorted(found)}


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds ``workspace.yaml``; else ``start``."""
    for folder in (start, *start.parents):
        if (folder / WORKSPACE).is_file():
            return folder
    return start
