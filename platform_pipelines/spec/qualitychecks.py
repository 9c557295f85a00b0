"""What can never work in the quality section of one pipeline although each value by itself is fine.

What connectors can do about it is left to ``capable``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.spec.nearest import allowed
from platform_pipelines.spec.rules import AFTER_LOAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_pipelines.spec.destination import DestinationSpec
    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.problems import Problems
    from platform_pipelines.spec.rules import Reconciliation

Path = tuple[int | str, ...]

#: names of asset checks that come with other keys of the quality section, and their assets
SCORE, DEAD_LETTERS, ACCOUNTING = "quality_score", "dead_letters", "accounting"


def check_quality(spec: PipelineSpec, problems: Problems) -> None:
    """Report every contradiction inside the quality section."""
    for part in (_names, _destinations, _reconciliations, _approval):
        part(spec, problems)


def read_back(spec: PipelineSpec) -> Iterator[tuple[str, Path, str]]:
    """The destinations whose rows a rule reads back: name, place in the YAML, id of the rule."""
    for index, rule in enumerate(spec.quality.rules):
        if rule.type == "unique" and rule.scope is not None:
            yield rule.scope, ("quality", "rules", index, "scope"), rule.id
        elif rule.type == "foreign_key" and rule.reference.destination is not None:
            yield rule.reference.destination, ("quality", "rules", index, "reference", "destination"), rule.id


def reconciled(spec: PipelineSpec) -> Iterator[tuple[Reconciliation, Path, list[DestinationSpec]]]:
    """The rules that compare with the source: the rule, its place in the YAML, the destinations it is about."""
    for index, rule in enumerate(spec.quality.rules):
        if rule.type == "reconciliation":
            about = [each for each in spec.destinations if rule.destination in {None, each.name}]
            yield rule, ("quality", "rules", index), about


def _names(spec: PipelineSpec, problems: Problems) -> None:
    quality = spec.quality
    for index, rule in enumerate(quality.rules):
        taken = {ACCOUNTING: "a load"} if rule.type in AFTER_LOAD else {}
        taken |= {SCORE: "`approval`"} if quality.approval else {}
        taken |= {DEAD_LETTERS: "`alert`"} if quality.alert else {}
        if rule.id in taken:
            msg = f"The id `{rule.id}` is the name of the asset check of {taken[rule.id]}. Write another `id`."
            problems.add(msg, "quality", "rules", index, "id")


def _destinations(spec: PipelineSpec, problems: Problems) -> None:
    known = {each.name: each for each in spec.destinations}
    wanted = [*read_back(spec)]
    wanted += [(r.destination, (*path, "destination"), r.id) for r, path, _ in reconciled(spec) if r.destination]
    for name, path, rule in wanted:
        if name not in known:
            msg = f"Rule `{rule}` names the unknown destination `{name}`. {allowed(name, known)}"
            problems.add(msg, *path)
    for name, path, rule in read_back(spec):
        if name in known and known[name].mode == "delete":
            msg = (
                f"Rule `{rule}` looks into destination `{name}`, which only removes rows (mode delete): nothing of "
                "the batch will be there. Name another destination, or remove the rule."
            )
            problems.add(msg, *path)


def _reconciliations(spec: PipelineSpec, problems: Problems) -> None:
    for rule, path, about in reconciled(spec):
        reason = _incomparable(spec, about)
        if reason:
            msg = f"Rule `{rule.id}` compares the rows of the source with those loaded, but {reason}"
            problems.add(msg, *path)


def _incomparable(spec: PipelineSpec, about: list[DestinationSpec]) -> str | None:
    """Why source and destinations can never hold the same rows; None if they can."""
    partial = [each for each in about if each.mode in {"update", "delete"}]
    if partial:
        return (
            f"destination `{partial[0].name}` holds others by its mode {partial[0].mode}. "
            "Name another `destination`, or remove the rule."
        )
    if any(transform.kind == "aggregate" for transform in spec.transforms):
        return "`aggregate` makes other rows of them. Remove the rule."
    deletes = spec.source.deletes
    if deletes is not None and deletes.field is not None and deletes.action == "hard":
        return f"`deletes` takes rows away that the source still holds, marked by `{deletes.field}`. Remove the rule."
    return None


def _approval(spec: PipelineSpec, problems: Problems) -> None:
    quality = spec.quality
    if quality.approval is None or quality.schema_path is not None:
        return
    scored = [rule for rule in quality.rules if rule.severity != "info" and rule.type not in AFTER_LOAD]
    if not scored:
        msg = (
            "`approval` never asks: no rule counts towards the score, so it is always 1. "
            "Add a rule of severity error or warning, or remove `approval`."
        )
        problems.add(msg, "quality", "approval")
