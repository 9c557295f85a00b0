"""What the text of a ``python`` transform may say; compiles it into a function of one record.

This is a lint with line numbers, and it keeps one record from leaving traces that
another finds. It is not the cage: that is the child's own (``child_guards``).
The text's top-level imports move to the top of the module, the rest becomes the
body of ``transform(record)``.
"""

from __future__ import annotations

import ast
import builtins
import marshal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_pipelines.errors import SpecError
from platform_pipelines.isolated import child_names
from platform_pipelines.isolated.usage import Usage, own_nodes, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: modules that a text may import
MODULES = (
    "base64", "collections", "collections.abc", "datetime", "decimal", "functools", "hashlib", "itertools", "json",
    "math", "random", "re", "statistics", "string", "textwrap", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
)  # fmt: skip
_REFUSED: dict[type[ast.AST], str] = {
    ast.ClassDef: "`class` is not allowed; use a function or a dict",
    ast.AsyncFunctionDef: "`async` is not allowed",
    ast.Await: "`await` is not allowed",
    ast.AsyncFor: "`async` is not allowed",
    ast.AsyncWith: "`async` is not allowed",
    ast.Global: "`global` is not allowed: records know nothing of each other",
}
#: methods of text that could reach into what they format
_GUARDED = ("format", "format_map")
_NAMED = ("id", "name", "arg", "asname", "rest")


@dataclass(frozen=True, slots=True)
class Program:
    """A text, compiled.

    Attributes:
        code: marshalled code of a module that defines ``transform``.
        modules: what it imports.
        usage: the columns it can touch.
    """

    code: bytes
    modules: tuple[str, ...]
    usage: Usage


def compile_text(text: str) -> Program:
    """Compile the text of a transform.

    Raises:
        SpecError: it is no Python, or says what is not allowed; each complaint with its line.
    """
    try:
        tree = ast.parse(text, child_names.TEXT)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        msg = f"line {line}: this is no Python: {getattr(error, 'msg', error)}."
        raise SpecError(msg) from error
    complaints = sorted(set(_complaints(tree)))
    if complaints:
        raise SpecError("; ".join(f"line {line}: {what}" for line, what in complaints) + ".")
    usage = usage_of(tree)
    modules = tuple(sorted(set(_imported(tree))))
    return Program(_code(tree), modules, usage)


def _complaints(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        for said in _of_node(node):
            yield line, said
    for node in own_nodes(tree):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            yield node.lineno, "`yield` is not allowed here: one record comes in, one goes out"
    if not any(isinstance(node, ast.Return) for node in own_nodes(tree)):
        yield 1, "nothing is returned; end with `return record` (or `return None`, which drops the record)"


def _of_node(node: ast.AST) -> Iterator[str]:
    if type(node) in _REFUSED:
        yield _REFUSED[type(node)]
    elif isinstance(node, ast.Import):
        yield from (_refused_import(each.name) for each in node.names if each.name not in MODULES)
    elif isinstance(node, ast.ImportFrom):
        yield from _import_from(node)
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node.attr, node.ctx)
    elif isinstance(node, ast.MatchClass):
        yield from _pattern(node.kwd_attrs)
    for field in _NAMED:
        yield from _name(getattr(node, field, None), node)


def _attribute(name: str, context: ast.expr_context) -> Iterator[str]:
    if child_names.is_inner(name):
        yield f"the attribute `{name}` is not allowed"
    elif not isinstance(context, ast.Load):
        yield f"the attribute `{name}` cannot be set; fields of a record are written as record['{name}']"


def _pattern(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from _attribute(name, ast.Load())
        if name in _GUARDED:
            yield f"the attribute `{name}` is not allowed in a pattern"


def _name(name: object, node: ast.AST) -> Iterator[str]:
    if not isinstance(name, str) or (isinstance(node, ast.alias) and node.name == name):
        return
    if name.startswith("__"):
        yield f"the name `{name}` is not allowed"
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and _is_forbidden(name):
        yield f"`{name}` is not available here"


def _is_forbidden(name: str) -> bool:
    found = getattr(builtins, name, None)
    known = hasattr(builtins, name)
    return known and name not in child_names.SAFE and name != "type" and not child_names.is_exception(found)


def _import_from(node: ast.ImportFrom) -> Iterator[str]:
    module = "." * node.level + (node.module or "")
    if module == "urllib" and all(each.name == "parse" for each in node.names):
        return
    if module not in MODULES:
        yield _refused_import(module)
        return
    shown = child_names.names([module])["__builtins__"]["__import__"](module, None, None, ("",))
    for each in node.names:
        if each.name == "*":
            yield f"`from {module} import *` is not allowed; name what you need"
        elif f"{module}.{each.name}" in MODULES:
            continue
        elif child_names.is_inner(each.name) or not hasattr(shown, each.name):
            yield f"`{each.name}` of `{module}` is not available here"


def _refused_import(name: str) -> str:
    return f"`import {name}` is not allowed. Allowed: {', '.join(MODULES)}"


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module in MODULES:
                yield module
            yield from (name for each in node.names if (name := f"{module}.{each.name}") in MODULES)


class _Guarded(ast.NodeTransformer):
    """``x.format`` becomes a call of the guarded ``format``: its text could reach into objects."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr not in _GUARDED:
            return node
        call = ast.Call(ast.Name("__format_of", ast.Load()), [node.value, ast.Constant(node.attr)], [])
        return ast.copy_location(call, node)


def _code(tree: ast.Module) -> bytes:
    guarded = _Guarded().visit(tree)
    imports = [node for node in guarded.body if isinstance(node, ast.Import | ast.ImportFrom)]
    body = [node for node in guarded.body if node not in imports]
    (function,) = ast.parse("def transform(record): pass").body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - parsed one line above
    function.body = body
    module = ast.fix_missing_locations(ast.Module([*imports, function], []))
    try:
        return marshal.dumps(compile(module, child_names.TEXT, "exec"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        msg = f"line {getattr(error, 'lineno', None) or 1}: this is no Python: {getattr(error, 'msg', error)}."
        raise SpecError(msg) from error
