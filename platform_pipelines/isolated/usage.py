"""Which columns a transform's text can touch, so that only those travel to the child.

Safe, not clever: unless every use of ``record`` names its field as it stands in
the text, all columns are taken to be touched.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD = "record"
_METHODS = frozenset({"get", "pop", "setdefault"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What a text does with a record's columns.

    Attributes:
        columns: the columns it names; None where it may touch any.
        passes: whether the columns it does not name go on as they are.
    """

    columns: frozenset[str] | None
    passes: bool


def usage_of(tree: ast.Module) -> Usage:
    """The columns that a text touches."""
    named: set[str] = set()
    plain: set[int] = set()
    bare_returns = 0
    returns = [node for node in own_nodes(tree) if isinstance(node, ast.Return) and not _is_none(node.value)]
    for node in ast.walk(tree):
        found = _field(node)
        if found is not None:
            place, name = found
            plain.add(id(place))
            named.add(name)
    for node in returns:
        if _is_record(node.value):
            bare_returns += 1
            plain.add(id(node.value))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == _RECORD]
    if any(id(node) not in plain for node in names) or _hidden(tree) or 0 < bare_returns < len(returns):
        return Usage(None, passes=False)
    return Usage(frozenset(named), passes=bare_returns > 0)


def own_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a text itself, without those of functions it defines."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from own_nodes(node)


def _field(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The ``record`` and the field of ``record['x']``, ``record.get('x')`` or ``'x' in record``."""
    if isinstance(node, ast.Subscript) and _is_record(node.value):
        return _named(node.value, node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_record(node.func.value):
        return _named(node.func.value, node.args[0]) if node.func.attr in _METHODS and node.args else None
    if (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        and _is_record(node.comparators[0])
    ):
        return _named(node.comparators[0], node.left)
    return None


def _named(place: ast.expr, key: ast.expr) -> tuple[ast.expr, str] | None:
    return (place, key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _hidden(tree: ast.Module) -> bool:
    """Whether something else is called ``record``, or an inner function holds it."""
    for node in ast.walk(tree):
        if any(getattr(node, field, None) == _RECORD for field in ("name", "arg", "asname", "rest")):
            return True
        if isinstance(node, ast.FunctionDef | ast.Lambda) and any(map(_is_record, ast.walk(node))):
            return True
    return False


def _is_record(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == _RECORD


def _is_none(node: ast.AST | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)
