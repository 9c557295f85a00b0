"""One pipeline at a time: parse, normalize, validate, check; errors are kept, not raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.checks import check
from platform_pipelines.spec.explain import explain, without_echoes
from platform_pipelines.spec.normalize import Normalizer, as_mapping
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.pipeline import PipelineSpec
from platform_pipelines.spec.problems import Problems
from platform_pipelines.spec.sqltext import check_sql
from platform_pipelines.spec.transform import TransformSpec
from platform_pipelines.spec.tree import line_at

if TYPE_CHECKING:
    from pathlib import Path

    from platform_pipelines.spec.capable import Connectors

#: raises SpecError for a transform that can never work
CheckTransform = Callable[[TransformSpec], None]

_WHAT = "a pipeline (name, source, destinations)"


class PipelineReader:
    """Reads pipelines that belong together.

    Attributes:
        pipelines: the valid ones by name.
        problems: what was found in each of them, by name.
        lines: where each name was declared, also of pipelines with errors.
    """

    def __init__(
        self, connectors: Connectors, check_transform: CheckTransform | None = None, *, deep: bool = False
    ) -> None:
        self.connectors = connectors
        self.check_transform = check_transform
        self.deep = deep
        self.pipelines: dict[str, PipelineSpec] = {}
        self.problems: dict[str, Problems] = {}
        self.lines: dict[str, str] = {}
        self._all: list[Problems] = []

    def errors(self) -> list[SpecError]:
        """Everything found so far."""
        return [error for problems in self._all for error in problems.errors]

    def read_file(self, path: Path, file: str) -> PipelineSpec | None:
        """The pipeline in ``path``, shown to people as ``file``; None if it has errors."""
        problems = Problems(file)
        try:
            tree = parse(path.read_bytes(), file)
        except SpecError as error:
            problems.caught(error)
        except OSError as error:
            problems.add(f"The file cannot be read: {error.strerror}. Check the name and its permissions.")
        else:
            return self.read_tree(tree, file)
        self._all.append(problems)
        return None

    def read_tree(self, tree: Any, file: str | None) -> PipelineSpec | None:  # noqa: ANN401 - any YAML value
        """The pipeline in ``tree``; None if it has errors."""
        problems = Problems(file, tree)
        self._all.append(problems)
        mapping = as_mapping(tree, _WHAT, problems)
        if mapping is None:
            return None
        normalizer = Normalizer(self.connectors.saved, self.connectors.takes_auth, problems)
        normal = normalizer.normalize(mapping)
        self._declare(normal.get("name"), problems)
        try:
            spec = PipelineSpec.model_validate(normal)
        except ValidationError as error:
            for found in without_echoes(error.errors(include_url=False), PipelineSpec):
                problems.add(explain(found, PipelineSpec, normal), *found["loc"])
            return None
        spec.place(file, mapping.line, normalizer.inline)
        return self._checked(spec, problems)

    def _declare(self, name: Any, problems: Problems) -> None:  # noqa: ANN401 - any YAML value
        if not isinstance(name, str):
            return
        if name in self.lines:
            problems.add(f"Pipeline `{name}` is declared twice, first in {self.lines[name]}. Rename one.", "name")
        line = line_at(problems.tree, ("name",))
        self.lines.setdefault(name, f"{problems.file}:{line}" if problems.file else "this mapping")

    def _checked(self, spec: PipelineSpec, problems: Problems) -> PipelineSpec | None:
        check(spec, problems)
        self.connectors.check(spec, problems)
        for index, transform in enumerate(spec.transforms):
            self._check_transform(transform, problems, index)
        if self.deep:
            check_sql(spec, problems)
        self.problems.setdefault(spec.name, problems)
        self.pipelines.setdefault(spec.name, spec)
        return None if problems.errors else spec

    def _check_transform(self, transform: TransformSpec, problems: Problems, index: int) -> None:
        if self.check_transform is None or not transform.body:
            return
        try:
            self.check_transform(transform)
        except SpecError as error:
            problems.caught(error, "transforms", index, "body")
