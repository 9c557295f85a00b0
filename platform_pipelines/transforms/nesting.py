"""Dotted names on the way out: ``address.city`` is the field ``city`` of the column ``address``.

NULL semantics: a struct all of whose fields are NULL is NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


def nested(expressions: Mapping[str, str]) -> str:
    """The select list of ``{name: SQL}``; a column of fields stands where its first field does."""
    tree: dict[str, Any] = {}
    for name, sql in expressions.items():
        *parents, leaf = name.split(".")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, {})
        branch[leaf] = sql
    return ", ".join(f"{_value(each)} as {quote(name)}" for name, each in tree.items())


def _value(branch: Any) -> str:  # noqa: ANN401 - SQL, or a mapping of branches
    if not isinstance(branch, dict):
        return str(branch)
    fields = {name: _value(each) for name, each in branch.items()}
    packed = ", ".join(f"{quote(name)} := {sql}" for name, sql in fields.items())
    empty = " and ".join(f"({sql}) is null" for sql in fields.values())
    return f"case when not ({empty}) then struct_pack({packed}) end"
