"""What can never work in one pipeline although each value by itself is fine."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from platform_pipelines.spec.checked import import_path
from platform_pipelines.spec.nearest import show
from platform_pipelines.spec.qualitychecks import check_quality
from platform_pipelines.spec.sourcekey import source_key
from platform_pipelines.spec.transform import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.problems import Problems

_T = TypeVar("_T", bound="Hashable")
_KEYED = frozenset({"merge", "update", "delete"})
_TEXTS = frozenset({"filter", "sql", "python", "function"})


def check(spec: PipelineSpec, problems: Problems) -> None:
    """Report every contradiction inside ``spec``."""
    for part in (_source, _deletes, _partitions, _destinations, _rules, check_quality, _transforms, _steps):
        part(spec, problems)


def _source(spec: PipelineSpec, problems: Problems) -> None:
    source = spec.source
    if source.mode == "stream":
        msg = "`mode: stream` is not available yet. Write `mode: incremental` with a cursor, or `full_refresh`."
        problems.add(msg, "source", "mode")
    if source.mode == "incremental" and source.cursor is None:
        msg = (
            "`mode: incremental` needs a cursor, a column that grows with every change. "
            "Write `cursor: {field: updated_at}`, or `mode: full_refresh`."
        )
        problems.add(msg, "source", "mode")


def _deletes(spec: PipelineSpec, problems: Problems) -> None:
    deletes = spec.source.deletes
    if deletes is None:
        return
    unkeyed = [each.name for each in spec.destinations if each.mode != "merge"]
    if deletes.detect is not None:
        _detection(spec, unkeyed, problems)
    elif deletes.action == "hard" and unkeyed:
        msg = (
            f"`action: hard` removes rows by key, which needs `mode: merge`; {', '.join(unkeyed)} has another mode. "
            "Write `mode: merge` with a key there, or `action: soft`."
        )
        problems.add(msg, "source", "deletes", "action")


def _detection(spec: PipelineSpec, unkeyed: list[str], problems: Problems) -> None:
    path = ("source", "deletes", "detect")
    if spec.source.mode == "full_refresh":
        msg = (
            "`detect: key_difference` is for `mode: incremental`; a full refresh replaces all rows, so those that are "
            "gone at the source go anyway. Remove `deletes`, or write `mode: incremental` with a cursor."
        )
        problems.add(msg, *path)
    if unkeyed:
        msg = (
            f"`detect: key_difference` applies deletes by key, which needs `mode: merge`; {', '.join(unkeyed)} has "
            "another mode. Write `mode: merge` with a key there."
        )
        problems.add(msg, *path)
        return
    try:
        source_key(spec)
    except ValueError as error:
        problems.add(str(error), *path)


def _partitions(spec: PipelineSpec, problems: Problems) -> None:
    partitions = spec.partitions
    followed = spec.source.cursor is not None and spec.source.mode == "incremental"
    if partitions is not None and partitions.detect_changes and not followed:
        msg = (
            "`detect_changes` compares cursors, and `source` follows none. "
            "Write `mode: incremental` with `cursor: {field: updated_at}`, or remove `detect_changes`."
        )
        problems.add(msg, "partitions", "detect_changes")


def _destinations(spec: PipelineSpec, problems: Problems) -> None:
    whole = spec.partitions is None and spec.source.mode == "incremental"
    for index, each in enumerate(spec.destinations):
        if each.mode in _KEYED and not each.key:
            msg = f"Mode {each.mode} of destination `{each.name}` needs a key. Write `key: [id]`, or `mode: append`."
            problems.add(msg, "destinations", index, "mode")
        if each.mode == "replace" and whole:
            msg = (
                f"Destination `{each.name}` would replace the whole table by the last increment. Write `mode: merge` "
                "with a `key`, `source.mode: full_refresh`, or cut the stream into `partitions`."
            )
            problems.add(msg, "destinations", index, "mode")
    for path, name in _twice([each.name for each in spec.destinations]):
        msg = f"Two destinations are named `{name}`. Give each its own `name`."
        problems.add(msg, "destinations", path, "name")
    targets = [(_connection(spec, each.connector), each.table) for each in spec.destinations]
    for path, (_, table) in _twice(targets):
        msg = f"Two destinations load into table `{table}` of the same connector. Remove one, or write another `table`."
        problems.add(msg, "destinations", path, "table")


def _connection(spec: PipelineSpec, name: str) -> str:
    inline = spec.inline_connectors.get(name)
    return name if inline is None else json.dumps(inline.config, sort_keys=True, default=str)


def _rules(spec: PipelineSpec, problems: Problems) -> None:
    for index, name in _twice([rule.id for rule in spec.quality.rules]):
        msg = f"Two rules have the id `{name}`. Give each its own `id`: it names the asset check."
        problems.add(msg, "quality", "rules", index, "id")


def _transforms(spec: PipelineSpec, problems: Problems) -> None:
    for index, transform in enumerate(spec.transforms):
        path = ("transforms", index, "body")
        kind, body = transform.kind, transform.body
        wanted = str if kind in _TEXTS else dict
        if not isinstance(body, wanted) or not body:
            what = "a text" if wanted is str else "a mapping"
            problems.add(
                f"`{kind}` in `transforms[{index}]` must be {what} that is not empty, not {show(body)}.", *path
            )
        elif kind == "function":
            _function(str(body), problems, *path)
        _settings(spec, index, problems)


def _settings(spec: PipelineSpec, index: int, problems: Problems) -> None:
    """Keys beside the kind that make no sense for it, or in this place."""
    transform = spec.transforms[index]
    for key in ("unmapped", "at"):
        kind = SETTINGS[key]
        if key in transform.model_fields_set and transform.kind != kind:
            problems.add(f"`{key}` goes with `{kind}` alone, not with `{transform.kind}`.", "transforms", index, key)
    if transform.kind != "mask" or transform.at != "landing":
        return
    if not transform.required:
        msg = "A mask `at: landing` cannot be optional: skipped, it would let the values through. Remove `required`."
        problems.add(msg, "transforms", index, "required")
    if any(each.at != "landing" for each in spec.transforms[:index]):
        msg = "A mask `at: landing` hides columns of the source, before all other transforms. Write it above them."
        problems.add(msg, "transforms", index, "at")
    cursor = spec.source.cursor
    if cursor is not None and isinstance(transform.body, dict) and cursor.field in transform.body:
        msg = f"`mask` would hide `{cursor.field}`, the cursor, which orders versions of a row. Mask another column."
        problems.add(msg, "transforms", index, "body", cursor.field)
    keys = {name for each in spec.destinations for name in each.key}
    if spec.source.deletes is not None and spec.source.deletes.detect is not None and keys & set(transform.body or ()):
        msg = "`detect: key_difference` compares keys with the source, where they are not masked. Mask other columns."
        problems.add(msg, "transforms", index, "body")


def _function(body: str, problems: Problems, *path: int | str) -> None:
    try:
        import_path(body)
    except ValueError as error:
        problems.add(str(error), *path)


def _steps(spec: PipelineSpec, problems: Problems) -> None:
    if spec.steps:
        problems.add("`steps` are not available yet. Leave them out; `transforms` change rows on their way.", "steps")


def _twice(values: list[_T]) -> list[tuple[int, _T]]:
    counts = Counter(values)
    seen: set[_T] = set()
    found = []
    for index, value in enumerate(values):
        if counts[value] > 1 and value in seen:
            found.append((index, value))
        seen.add(value)
    return found
