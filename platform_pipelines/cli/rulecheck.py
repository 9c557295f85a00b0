"""Whether the pandera checks that rules name can be imported and are checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.spec import PipelineSpec


def rule_errors(spec: PipelineSpec) -> Iterator[SpecError]:
    """One error for each rule whose check cannot be used, at the line that names it."""
    named = [(index, rule) for index, rule in enumerate(spec.quality.rules) if rule.type == "pandera"]
    if not named:
        return
    from platform_pipelines.quality.usercheck import load_check

    for index, rule in named:
        try:
            load_check(rule)
        except SpecError as error:
            yield SpecError(error.message, file=spec.file, line=_line(spec, index))


def _line(spec: PipelineSpec, index: int) -> int | None:
    from platform_pipelines.spec.parse import parse
    from platform_pipelines.spec.tree import line_at

    if spec.file is None:
        return None
    return line_at(parse(Path(spec.file).read_bytes(), spec.file), ("quality", "rules", index, "check"))
