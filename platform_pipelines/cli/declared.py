"""What can be found wrong in declarations without reaching any system, beyond what loading them finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.cli.rulecheck import rule_errors
from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from platform_pipelines.engine import Project
    from platform_pipelines.spec import ConnectorSpec, PipelineSpec


def offline_errors(project: Project, specs: Sequence[PipelineSpec]) -> list[SpecError]:
    """Errors in the values of connectors, and Python that cannot be imported."""
    from platform_pipelines.connectors.registry import check_config

    errors: list[SpecError] = []
    for connector in _connectors(project, specs):
        try:
            check_config(connector)
        except SpecError as error:
            errors.append(error)
    for spec in specs:
        errors += _import_errors(spec)
        errors += rule_errors(spec)
    return errors


def offline_warnings(project: Project, specs: Sequence[PipelineSpec]) -> list[str]:
    """Secrets that stand in the YAML for all to read."""
    from platform_pipelines.connectors.plaintext import plain_secrets

    return [warning for connector in _connectors(project, specs) for warning in plain_secrets(connector)]


def saved_warnings(folder: Path) -> list[str]:
    """The same of saved connectors alone, where something else that is declared cannot be understood."""
    from platform_pipelines.connectors.plaintext import plain_secrets
    from platform_pipelines.spec.loader import read_connectors

    saved, _ = read_connectors(folder)
    return [warning for connector in saved.values() for warning in plain_secrets(connector)]


def connectors_of(spec: PipelineSpec) -> list[str]:
    """Names of all connectors that a pipeline uses: source, destinations, joins, foreign keys."""
    names = [spec.source.connector, *(destination.connector for destination in spec.destinations)]
    names += [transform.body["with"]["connector"] for transform in spec.transforms if transform.kind == "join"]
    references = [rule.reference.connector for rule in spec.quality.rules if rule.type == "foreign_key"]
    return list(dict.fromkeys([*names, *(name for name in references if name is not None)]))


def _connectors(project: Project, specs: Sequence[PipelineSpec]) -> list[ConnectorSpec]:
    found = list(project.catalog.connectors.values())
    return found + [connector for spec in specs for connector in spec.inline_connectors.values()]


def _import_errors(spec: PipelineSpec) -> Iterator[SpecError]:
    from platform_pipelines.transforms.outputs import load_functions
    from platform_pipelines.userobject import load_object

    for transform in spec.transforms:
        try:
            if transform.kind == "map":
                load_functions(transform.body)
        except SpecError as error:
            message = f"Transform `{transform.label}` of pipeline `{spec.name}`: {error.message}"
            yield SpecError(message, file=spec.file, line=transform.line)

    wanted = [
        (transform.body, f"Transform `{transform.label}` of pipeline `{spec.name}`", transform.line)
        for transform in spec.transforms
        if transform.kind == "function"
    ]
    if spec.quality.schema_path is not None:
        wanted.append((spec.quality.schema_path, f"`quality.schema` of pipeline `{spec.name}`", spec.line))
    for path, purpose, line in wanted:
        try:
            load_object(path, purpose)
        except SpecError as error:
            yield SpecError(error.message, file=spec.file, line=line)
